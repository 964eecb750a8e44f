"""Check: a query run on a schedule that gives each series a level, by thresholds or by its silence (deadman)."""

from __future__ import annotations

from provider import flux as flux_check
from provider.api import Api
from provider.durations import DURATION_RULE, seconds
from provider.kinds.base import DESCRIPTION, ORGANIZATION_ID, STATUS, ResourceKind, known_text, variant_failures
from provider.ownership import marked, unmarked
from provider.table import Failure, Property, present
from provider.values import Plain, is_unknown

LEVELS = ("OK", "INFO", "WARN", "CRIT")
NEEDED = {"threshold": frozenset({"thresholds"}), "deadman": frozenset({"timeSince", "staleTime", "level"})}
ALLOWED = {"threshold": frozenset[str](), "deadman": frozenset({"reportZero"})}
THRESHOLD = (
    Property(
        name="type",
        kind="string",
        required=True,
        choices=("greater", "lesser", "range"),
        description="greater or lesser than `value`; range: between `min` and `max`, or outside of them",
    ),
    Property(name="level", kind="string", required=True, choices=LEVELS, description="the level that it gives"),
    Property(name="value", kind="number", description="the bound of greater and lesser"),
    Property(name="min", kind="number", description="the lower bound of a range"),
    Property(name="max", kind="number", description="the upper bound of a range"),
    Property(
        name="within",
        kind="boolean",
        default=False,
        description="of a range: true where values inside give the level, false where those outside do",
    ),
    Property(
        name="allValues",
        kind="boolean",
        default=False,
        description="true: only if every value of the interval is beyond the bound",
    ),
)
BOUNDS = {"greater": frozenset({"value"}), "lesser": frozenset({"value"}), "range": frozenset({"min", "max"})}
NO_MORE = {kind: frozenset[str]() for kind in BOUNDS}


class CheckKind(ResourceKind):
    token = "influxdb:index:Check"
    path = "/api/v2/checks"
    collection = "checks"
    # The whole content in one: PATCH knows name, description and status only.
    update_method = "PUT"
    description = (
        "A query that the server runs on a schedule and that gives each series a level, written to the bucket "
        "`_monitoring`: by thresholds, or because nothing came for a while (deadman). A deadman sees only series "
        "that have a point within `staleTime`: one that was silent for longer is not seen any more."
    )
    table = (
        ORGANIZATION_ID,
        Property(name="name", kind="string", required=True, description="its name, unique in its organization"),
        Property(
            name="type",
            kind="string",
            required=True,
            choices=("threshold", "deadman"),
            description="threshold: by the values; deadman: by their absence",
        ),
        Property(
            name="query",
            kind="string",
            required=True,
            description="one Flux pipeline over one field; the server sets `range` and `aggregateWindow` to `every` "
            "(of a deadman: to `staleTime`)",
        ),
        Property(name="every", kind="string", required=True, description="how often it runs, such as 5m"),
        Property(name="offset", kind="string", description="delay of each run, shorter than `every`"),
        STATUS,
        DESCRIPTION,
        Property(
            name="statusMessageTemplate",
            kind="string",
            default="Check: ${ r._check_name } is: ${ r._level }",
            description="the message of a status; `${ r.<column> }` stands for a column's value",
        ),
        Property(name="tags", kind="map", items="string", description="tags that each status gets"),
        Property(
            name="thresholds",
            kind="array",
            fields=THRESHOLD,
            type_name="CheckThreshold",
            description="of a threshold check: at most one for each level",
        ),
        Property(name="timeSince", kind="string", description="of a deadman: silent for how long, such as 90s"),
        Property(name="staleTime", kind="string", description="of a deadman: how far back it looks, such as 10m"),
        Property(name="level", kind="string", choices=LEVELS, description="of a deadman: the level that it gives"),
        Property(name="reportZero", kind="boolean", description="of a deadman: zeroes alone count as silence"),
    )

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        failures = variant_failures(new, "type", NEEDED, ALLOWED)
        if new["type"] == "deadman":
            new.setdefault("reportZero", False)
        failures += duration_failures(new, ("every", "offset", "timeSince", "staleTime"))
        failures += offset_failures(new)
        failures += self._threshold_failures(new.get("thresholds"))
        query = known_text(new["query"])
        if query is not None and not failures and query != old.get("query"):
            failures += await self._query_failures(api, new, query)
        return failures

    def _threshold_failures(self, thresholds: object) -> list[Failure]:
        if not isinstance(thresholds, list):
            return []
        failures = [] if thresholds else [Failure("thresholds", "is empty: name at least one threshold")]
        levels: set[str] = set()
        for place, one in enumerate(thresholds):
            where = f"thresholds[{place}]"
            if not isinstance(one, dict):
                continue
            bounds = variant_failures(one, "type", BOUNDS, NO_MORE)
            failures += [Failure(f"{where}.{wrong.property}", wrong.reason) for wrong in bounds]
            level = one.get("level")
            if isinstance(level, str):
                if level in levels:
                    failures.append(Failure(f"{where}.level", f"is {level} once more: a level has one threshold"))
                levels.add(level)
            low, high = one.get("min"), one.get("max")
            if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
                failures.append(Failure(f"{where}.min", f"is {low}, above the max of {high}"))
        return failures

    async def _query_failures(self, api: Api, new: Plain, query: str) -> list[Failure]:
        reason = await flux_check.problem(api, query, None)
        if reason is None:
            reason = await flux_check.pipeline_problem(api, query, one_field=new["type"] == "threshold")
        return [] if reason is None else [Failure("query", reason)]

    def body(self, inputs: Plain, mark: str) -> Plain:
        content = {
            "type": inputs["type"],
            "orgID": inputs["orgId"],
            "name": inputs["name"],
            "description": marked(inputs.get("description"), mark),
            "query": {"text": inputs["query"], "editMode": "advanced"},
            "status": inputs["status"],
            "statusMessageTemplate": inputs["statusMessageTemplate"],
            "tags": [{"key": key, "value": value} for key, value in (inputs.get("tags") or {}).items()],
        }
        names = ("every", "offset", "thresholds", "timeSince", "staleTime", "level", "reportZero")
        return content | present({name: inputs.get(name) for name in names})

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        shown = {name: answer.get(name) for name in ("name", "type", "every", "offset", "status")}
        shown |= {
            "orgId": answer["orgID"],
            "query": answer["query"]["text"],
            "description": unmarked(answer.get("description")),
            "statusMessageTemplate": answer.get("statusMessageTemplate"),
            "tags": {tag["key"]: tag["value"] for tag in answer.get("tags") or ()} or None,
        }
        if answer["type"] == "threshold":
            shown["thresholds"] = [_threshold(one) for one in answer.get("thresholds") or ()]
        if answer["type"] == "deadman":
            shown |= {name: answer.get(name) for name in ("timeSince", "staleTime", "level", "reportZero")}
        return present(shown)


def _threshold(shown: Plain) -> Plain:
    """As the program gives it; the server leaves out a bound of 0."""
    bounds = {name: shown.get(name, 0) for name in BOUNDS[shown["type"]]}
    common = {"type": shown["type"], "level": shown["level"], "allValues": bool(shown.get("allValues"))}
    return common | {"within": bool(shown.get("within"))} | bounds


def duration_failures(inputs: Plain, names: tuple[str, ...]) -> list[Failure]:
    """What among the named properties is given and no duration."""
    given = ((name, known_text(inputs.get(name))) for name in names)
    return [
        Failure(name, f"is {text!r}; {DURATION_RULE}")
        for name, text in given
        if text is not None and not seconds(text) and not (name == "offset" and seconds(text) == 0)
    ]


def offset_failures(inputs: Plain) -> list[Failure]:
    """An offset is a part of the interval: at or beyond it the server refuses or skips runs."""
    every, offset = inputs.get("every"), inputs.get("offset")
    if is_unknown(every) or is_unknown(offset) or not every or not offset:
        return []
    delay, interval = seconds(offset), seconds(every)
    if delay is None or interval is None or delay < interval:
        return []
    return [Failure("offset", f"is {offset}, not shorter than every {every}: choose an offset below {every}")]

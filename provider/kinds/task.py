"""Task: a Flux script that the server runs. Names are not unique on the server; here they are kept so."""

from __future__ import annotations

import re

from provider import flux as flux_check
from provider.api import Api, ApiError, ProviderError
from provider.durations import seconds
from provider.kinds.base import DESCRIPTION, ORGANIZATION_ID, ResourceKind, known_text
from provider.ownership import marked, unmarked
from provider.table import Failure, Property, present
from provider.values import Plain, is_unknown

_OPTION = re.compile(r"option\s+task\s*=\s*\{(.*?)\}", re.DOTALL)
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*')
_NAME = re.compile(r'\bname\s*:\s*"((?:[^"\\]|\\.)*)"')
_CRON = re.compile(r'\bcron\s*:\s*"([^"]*)"')
_CRON_RULE = re.compile(
    r"@(?:hourly|daily|weekly|monthly|yearly|annually|every \S+)|(?:[\w*/,\-?#]+\s+){4,6}[\w*/,\-?#]+"
)
_EVERY = re.compile(r"\bevery\s*:\s*(-?[\wµ]+)")
_OFFSET = re.compile(r"\boffset\s*:\s*(-?[\wµ]+)")
_OFFSET_IN_DAYS = re.compile(r"-?\d+(?:d|w|mo|y)")
COMPUTED = ("name", "every", "cron", "offset")


class TaskKind(ResourceKind):
    token = "influxdb:index:Task"
    path = "/api/v2/tasks"
    collection = "tasks"
    page_size = 500
    only_declared = frozenset({"source", "sourceMap"})
    description = "A Flux script that the server runs. Its name, cadence and offset stand in its `option task`."
    table = (
        ORGANIZATION_ID,
        Property(name="flux", kind="string", required=True, description="the script, with `option task = {...}`"),
        Property(
            name="status",
            kind="string",
            default="active",
            choices=("active", "inactive"),
            description="inactive: it does not run; what it misses meanwhile is skipped",
        ),
        DESCRIPTION,
        Property(
            name="source", kind="string", transient=True, description="where the script comes from, for error messages"
        ),
        Property(
            name="sourceMap",
            kind="array",
            items="string",
            transient=True,
            description="for each line of the script `<file>:<line>` of what it was rendered from, for error messages",
        ),
        Property(name="name", kind="string", computed=True, description="from `option task`"),
        Property(name="every", kind="string", computed=True, description="from `option task`"),
        Property(name="cron", kind="string", computed=True, description="from `option task`"),
        Property(name="offset", kind="string", computed=True, description="from `option task`"),
    )

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        script = new["flux"]
        if is_unknown(script):
            return []
        reason = cadence_problem(script)
        if reason is not None:
            return [Failure("flux", reason)]
        if script == old.get("flux"):
            return []
        reason = await flux_check.problem(api, script, known_text(new.get("source")), new.get("sourceMap"))
        return [] if reason is None else [Failure("flux", reason)]

    def body(self, inputs: Plain, mark: str) -> Plain:
        # Never name, every, cron or offset: the server would rewrite and reformat the stored script.
        return {
            "orgID": inputs["orgId"],
            "flux": inputs["flux"],
            "status": inputs["status"],
            "description": marked(inputs.get("description"), mark),
        }

    def name_in(self, inputs: Plain) -> str:
        if "flux" not in inputs:
            return str(inputs["name"])
        option = _OPTION.search(without_comments(inputs["flux"]))
        name = _NAME.search(option[1]) if option else None
        return name[1] if name else ""

    def computed(self, answer: Plain, inputs: Plain) -> Plain:
        return {name: answer.get(name) or "" for name in COMPUTED}

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        shown = {
            "orgId": answer["orgID"],
            "flux": answer["flux"],
            "status": answer["status"],
            "description": unmarked(answer.get("description")),
        }
        return present(shown) | self.computed(answer, known)

    def change(self, inputs: Plain, mark: str) -> Plain:
        # Description never alone: that is answered 400.
        return {name: value for name, value in self.body(inputs, mark).items() if name != "orgID"}

    def kept_by_update(self, old: Plain, new: Plain) -> Plain:
        return {} if new["flux"] != old.get("flux") else super().kept_by_update(old, new)

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain, mark: str = "") -> Plain:
        try:
            return await super().update(api, identifier, old, new, mark)
        except ApiError as error:
            raise ProviderError(f"task {old.get('name')!r} could not be changed: {error}") from None


def without_comments(script: str) -> str:
    return _COMMENT.sub(lambda found: found[1] or "", script)


def cadence_problem(script: str) -> str | None:
    """What is wrong with name, cadence and offset in a script's `option task`, where the server reads them.

    The server takes literals only, refuses some of this when the task is made and some not at all: an offset as long
    as the interval makes a run late by whole runs.
    """
    option = _OPTION.search(without_comments(script))
    if option is None:
        return "has no `option task = {name: ..., every: ...}`: a task needs one"
    name, every, cron, offset = (pattern.search(option[1]) for pattern in (_NAME, _EVERY, _CRON, _OFFSET))
    if name is None or not name[1]:
        return 'has no name in `option task`: it needs one as a literal, name: "..."'
    if (every is None) == (cron is None):
        both = "every and cron" if every else "neither every nor cron"
        return f"has {both} in `option task`: a task has one of them"
    if cron is not None and not _CRON_RULE.fullmatch(cron[1].strip()):
        return f"cron {cron[1]!r}: five fields (minute, hour, day, month, weekday) are wanted, or @daily and the like"
    interval = seconds(every[1]) if every else None
    if every is not None and (interval is None or interval < 1):
        return f"every {every[1]}: a literal of at least 1s is wanted, such as 1h"
    if offset is None:
        return None
    if _OFFSET_IN_DAYS.fullmatch(offset[1]):
        return f"offset {offset[1]}: InfluxDB takes hours and shorter here, such as 24h for 1d"
    delay = seconds(offset[1].removeprefix("-"))
    if delay is None:
        return f"offset {offset[1]}: a literal is wanted, such as 5m"
    if interval is not None and delay >= interval:
        return f"offset {offset[1]} is not shorter than every {every[1] if every else ''}: choose a shorter one"
    return None

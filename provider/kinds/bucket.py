"""Bucket: retention and shard-group duration, and the guard over the data in it."""

from __future__ import annotations

import re

from provider.api import CLOUD, OSS, Api, ApiError, ProviderError
from provider.kinds.base import DESCRIPTION, ORGANIZATION_ID, ResourceKind
from provider.ownership import marked, unmarked
from provider.table import Failure, Property, present
from provider.values import Plain, is_unknown

HOUR = 3600
DAY = 86400
# The last time that a point may have (int64 nanoseconds), as Flux writes it.
END_OF_TIME = "2262-04-11T23:47:16Z"


def duration_text(seconds: int) -> str:
    """3600 -> '1 h', 604800 -> '7 d', 0 -> 'for ever'."""
    if seconds == 0:
        return "for ever"
    for unit, size in (("d", DAY), ("h", HOUR), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def default_shard_group_duration(retention: int) -> int:
    """What the server chooses for a retention in seconds (influxdb v2.7: retention.go)."""
    if retention == 0 or retention >= 180 * DAY:
        return 7 * DAY
    return DAY if retention >= 2 * DAY else HOUR


def is_shorter(new: int, old: int) -> bool:
    """True if data that `old` would keep are dropped by `new`; 0 keeps for ever."""
    return new != 0 and (old == 0 or new < old)


async def stored_values(api: Api, org_id: str, identifier: str, stop: str = END_OF_TIME) -> int:
    """How many values a bucket has that are older than `stop`: what deleting them would cost."""
    answer = await api.query(
        org_id,
        f'from(bucketID: "{identifier}") |> range(start: 0, stop: {stop}) |> count() '
        '|> toInt() |> keep(columns: ["_value"]) |> sum()',
    )
    return sum(int(number) for number in re.findall(r",(\d+)\s*$", answer, flags=re.MULTILINE))


class BucketKind(ResourceKind):
    token = "influxdb:index:Bucket"
    path = "/api/v2/buckets"
    collection = "buckets"
    only_declared = frozenset({"allowDataLoss"})
    description = "A bucket: where points are stored, for how long, and in shard groups of which width."
    table = (
        ORGANIZATION_ID,
        Property(name="name", kind="string", required=True, description="its name, unique in its organization"),
        Property(name="retention", kind="integer", default=0, description="seconds a point is kept, 0 for ever"),
        Property(
            name="shardGroupDuration",
            kind="integer",
            description="seconds that one shard group covers; expired data go a whole group at a time",
        ),
        DESCRIPTION,
        Property(
            name="allowDataLoss",
            kind="boolean",
            default=False,
            description="true: it may be shortened, replaced or deleted with the data in it",
        ),
    )

    async def check(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        failures = []
        name, retention = new["name"], new["retention"]
        if not is_unknown(name) and (name.startswith("_") or '"' in name):
            failures.append(Failure("name", f"is {name!r}; InfluxDB allows no leading underscore and no double quote"))
        if not is_unknown(retention):
            if retention != 0 and retention < HOUR:
                failures.append(Failure("retention", f"is {retention} s; the shortest is 3600 s (1 h), 0 is for ever"))
            elif api.flavor == OSS:
                new.setdefault("shardGroupDuration", default_shard_group_duration(retention))
        width = new.get("shardGroupDuration")
        if width is not None and api.flavor == CLOUD:
            failures.append(Failure("shardGroupDuration", "is nothing that InfluxDB Cloud has: leave it out"))
        elif isinstance(width, int):
            if width < HOUR:
                failures.append(Failure("shardGroupDuration", f"is {width} s; the shortest is 3600 s (1 h)"))
            elif not is_unknown(retention) and retention != 0 and retention < width:
                failures.append(
                    Failure(
                        "shardGroupDuration",
                        f"is {duration_text(width)}, longer than the retention of {duration_text(retention)}: "
                        "choose a shard group not longer than the retention",
                    )
                )
        if old and not failures:
            failures += await self._data_at_risk(api, old, new)
        return failures

    async def _data_at_risk(self, api: Api, old: Plain, new: Plain) -> list[Failure]:
        if new["allowDataLoss"] is True or is_unknown(old):
            return []
        # Unknown: its organization is about to be made, so it can't be the one that holds the bucket now.
        moved = is_unknown(new["orgId"]) or new["orgId"] != old.get("orgId")
        before, after = old.get("retention", 0), new["retention"]
        shortened = isinstance(after, int) and is_shorter(after, before)
        if not moved and not shortened:
            return []
        identifier = await self._by_name(api, str(old["orgId"]), str(old["name"]))
        if identifier is None:
            return []
        stop = f"-{after}s" if shortened and not moved else END_OF_TIME
        points = await stored_values(api, str(old["orgId"]), identifier, stop)
        if points == 0:
            return []
        what = (
            "would be replaced, since it moves to another organization"
            if moved
            else f"would be shortened from {duration_text(before)} to {duration_text(after)}"
        )
        return [
            Failure(
                "orgId" if moved else "retention",
                f"bucket {old['name']!r} {what}, which costs {points} stored values; "
                "to do that all the same, set allowDataLoss for this bucket",
            )
        ]

    async def _by_name(self, api: Api, org_id: str, name: str) -> str | None:
        try:
            found = await api.call("GET", self.path, query={"orgID": org_id, "name": name})
        except ApiError as error:
            if error.is_gone:
                return None
            raise
        return next((str(bucket["id"]) for bucket in found["buckets"] if bucket["name"] == name), None)

    def _rules(self, inputs: Plain) -> list[Plain]:
        # Always both values: what is left out or too small is stored raw and read back wrong. Cloud has one only.
        rule = {"type": "expire", "everySeconds": inputs["retention"]}
        if "shardGroupDuration" in inputs:
            rule["shardGroupDurationSeconds"] = inputs["shardGroupDuration"]
        return [rule]

    def body(self, inputs: Plain, mark: str) -> Plain:
        content = {"orgID": inputs["orgId"], "name": inputs["name"], "retentionRules": self._rules(inputs)}
        return content | {"description": marked(inputs.get("description"), mark)}

    async def answer(self, api: Api, identifier: str, known: Plain) -> Plain | None:
        found = await super().answer(api, identifier, known)
        return None if found is None else found | {"flavor": api.flavor}

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        rule = (answer.get("retentionRules") or [{}])[0]
        retention = int(rule.get("everySeconds", 0))
        state = {
            "orgId": answer["orgID"],
            "name": answer["name"],
            "retention": retention,
            "allowDataLoss": known.get("allowDataLoss", False),
        }
        if answer.get("flavor") != CLOUD:
            width = int(rule.get("shardGroupDurationSeconds", 0))
            state["shardGroupDuration"] = width or default_shard_group_duration(retention)
        return state | present({"description": unmarked(answer.get("description"))})

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain, mark: str = "") -> Plain:
        path = f"{self.path}/{identifier}"
        # The engine is changed before the metadata: a rename that fails must not leave a changed retention.
        if new["name"] != old.get("name"):
            await api.call("PATCH", path, {"name": new["name"]})
        body = {"description": marked(new.get("description"), mark), "retentionRules": self._rules(new)}
        await api.call("PATCH", path, body)
        return {}

    async def before_delete(self, api: Api, identifier: str, state: Plain) -> None:
        if state.get("allowDataLoss") is True:
            return
        try:
            # First of all: a query for a bucket whose organization is gone too is answered 400, not 404.
            await api.call("GET", f"{self.path}/{identifier}")
            points = await stored_values(api, str(state["orgId"]), identifier)
        except ApiError as error:
            if error.is_gone:
                return
            raise
        if points:
            raise ProviderError(
                f"The bucket {state.get('name')!r} holds data ({points} stored values) and would be deleted with it; "
                "to do that all the same, set allowDataLoss for this bucket, run pulumi up, and then delete it."
            )

"""Task: a Flux script that the server runs. Names are not unique on the server; here they are kept so."""

from __future__ import annotations

import re

from provider import flux as flux_check
from provider.api import Api, ApiError, ProviderError
from provider.kinds.base import DESCRIPTION, ORGANIZATION_ID, ResourceKind, known_text
from provider.ownership import marked, unmarked
from provider.table import Failure, Property, present
from provider.values import Plain, is_unknown

_OPTION = re.compile(r"option\s+task\s*=\s*\{(.*?)\}", re.DOTALL)
_NAME = re.compile(r'\bname\s*:\s*"((?:[^"\\]|\\.)*)"')
_OFFSET_IN_DAYS = re.compile(r"\boffset\s*:\s*-?(\d+)(d|w|mo|y)\b")
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
        option = _OPTION.search(script)
        if option is None:
            return [Failure("flux", "has no `option task = {name: ..., every: ...}`: a task needs one")]
        days = _OFFSET_IN_DAYS.search(option[1])
        if days is not None:
            return [
                Failure("flux", f"offset {days[1]}{days[2]}: InfluxDB takes hours and shorter here, such as 24h for 1d")
            ]
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
        option = _OPTION.search(inputs["flux"])
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

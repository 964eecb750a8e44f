"""Task: a Flux script that the server runs. Names are not unique on the server; here they are kept so."""

from __future__ import annotations

import re

from provider import flux as flux_check
from provider.api import Api, ApiError, ProviderError
from provider.kinds.base import ResourceKind, import_hint
from provider.table import Failure, Property, present
from provider.values import Plain, is_unknown

_OPTION = re.compile(r"option\s+task\s*=\s*\{(.*?)\}", re.DOTALL)
_NAME = re.compile(r'\bname\s*:\s*"((?:[^"\\]|\\.)*)"')
_OFFSET_IN_DAYS = re.compile(r"\boffset\s*:\s*-?(\d+)(d|w|mo|y)\b")
COMPUTED = ("name", "every", "cron", "offset")


class TaskKind(ResourceKind):
    token = "influxdb:index:Task"
    path = "/api/v2/tasks"
    description = "A Flux script that the server runs. Its name, cadence and offset stand in its `option task`."
    table = (
        Property(
            name="orgId", kind="string", required=True, replaces=True, is_id=True, description="id of its organization"
        ),
        Property(name="flux", kind="string", required=True, description="the script, with `option task = {...}`"),
        Property(
            name="status",
            kind="string",
            default="active",
            choices=("active", "inactive"),
            description="inactive: it does not run; what it misses meanwhile is skipped",
        ),
        Property(name="description", kind="string", description="what it is for"),
        Property(name="source", kind="string", description="where the script comes from; only for error messages"),
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
        source = None if is_unknown(new.get("source")) else new.get("source")
        reason = await flux_check.problem(api, script, source)
        return [] if reason is None else [Failure("flux", reason)]

    async def create(self, api: Api, inputs: Plain) -> tuple[str, Plain]:
        option = _OPTION.search(inputs["flux"])
        name = _NAME.search(option[1]) if option else None
        if name is not None:
            found = await api.call("GET", self.path, query={"orgID": inputs["orgId"], "name": name[1]})
            if found.get("tasks"):
                raise ProviderError(
                    f"A task named {name[1]!r} exists already in this organization; "
                    f"{import_hint(self.token, found['tasks'][0]['id'])} (or choose another name)"
                )
        body = {"orgID": inputs["orgId"], "flux": inputs["flux"], "status": inputs["status"]}
        answer = await api.call("POST", self.path, body | present({"description": inputs.get("description")}))
        return answer["id"], self._computed(answer)

    def _computed(self, answer: Plain) -> Plain:
        return {name: answer.get(name) or "" for name in COMPUTED}

    def state_of(self, answer: Plain, known: Plain) -> Plain:
        shown = {
            "orgId": answer["orgID"],
            "flux": answer["flux"],
            "status": answer["status"],
            "description": answer.get("description"),
            "source": known.get("source"),
        }
        return present(shown) | self._computed(answer)

    async def update(self, api: Api, identifier: str, old: Plain, new: Plain) -> Plain:
        # Never name, every, cron or offset: the server would rewrite and reformat the stored script.
        # Description never alone: that is answered 400.
        body = {"flux": new["flux"], "status": new["status"], "description": new.get("description", "")}
        try:
            answer = await api.call("PATCH", f"{self.path}/{identifier}", body)
        except ApiError as error:
            raise ProviderError(f"task {old.get('name')!r} could not be changed: {error}") from None
        return self._computed(answer)

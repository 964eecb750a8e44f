"""The plugin: Pulumi's requests to the kinds of resources, errors to clean sentences."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from importlib import metadata
from typing import Any

import grpc
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental import server

from provider import schema
from provider.api import Api, ProviderError
from provider.kinds import KINDS, LOOKUPS, ResourceKind
from provider.table import Change, check, diff, inputs_of
from provider.values import is_unknown, plain, secret_names, wire

URL, TOKEN = "INFLUXDB_URL", "INFLUXDB_TOKEN"

_DIFF_KINDS = {
    ("add", False): sdk.PropertyDiffKind.ADD,
    ("add", True): sdk.PropertyDiffKind.ADD_REPLACE,
    ("delete", False): sdk.PropertyDiffKind.DELETE,
    ("delete", True): sdk.PropertyDiffKind.DELETE_REPLACE,
    ("update", False): sdk.PropertyDiffKind.UPDATE,
    ("update", True): sdk.PropertyDiffKind.UPDATE_REPLACE,
}


def version() -> str:
    try:
        return metadata.version("hearthflux")
    except metadata.PackageNotFoundError:
        return "0.0.0"


def detailed(changes: dict[str, Change]) -> dict[str, sdk.PropertyDiff]:
    return {name: sdk.PropertyDiff(_DIFF_KINDS[change.kind, change.replaces], True) for name, change in changes.items()}


class InfluxProvider(sdk.Provider):
    """The provider for InfluxDB 2."""

    def __init__(self) -> None:
        self._api: Api | None = None

    @property
    def api(self) -> Api:
        if self._api is None:
            raise ProviderError("The provider was asked for something before it was configured.")
        return self._api

    def _kind(self, token: str) -> ResourceKind:
        # Below a component the type comes as `<parent types>$<type>`.
        token = token.rpartition("$")[2]
        if token not in KINDS:
            raise ProviderError(f"There is no resource {token}; there are {', '.join(sorted(KINDS))}.")
        return KINDS[token]

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:
        return sdk.GetSchemaResponse(schema.text())

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        given = plain(request.args)
        values = {}
        for name, variable in (("url", URL), ("token", TOKEN)):
            value = given.get(name) or os.environ.get(variable)
            if is_unknown(value):
                raise ProviderError(f"influxdb:{name} is not known yet: it can't come from a resource of this stack.")
            if not value:
                secret = " --secret" if name == "token" else ""
                raise ProviderError(
                    f"influxdb:{name} is not set: pulumi config set{secret} influxdb:{name} <value>, or set {variable}."
                )
            values[name] = str(value).strip()
        if not values["url"].startswith(("http://", "https://")):
            raise ProviderError(f"influxdb:url is {values['url']!r}; it has to begin with http:// or https://.")
        self._api = Api(values["url"], values["token"])
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True, accept_resources=False)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        kind = self._kind(request.type)
        inputs, failures = check(kind.table, plain(request.new_inputs))
        if not failures:
            failures = await kind.check(self.api, plain(request.old_inputs), inputs)
        inputs = {name: value for name, value in inputs.items() if name not in kind.transient}
        return sdk.CheckResponse(
            inputs=wire(inputs, self._secrets(kind, request.new_inputs)),
            failures=[sdk.CheckFailure(one.property, one.reason) for one in failures],
        )

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        kind = self._kind(request.type)
        changes = diff(
            kind.table, plain(request.old_state), plain(request.new_inputs), frozenset(request.ignore_changes)
        )
        return sdk.DiffResponse(
            changes=bool(changes),
            replaces=[name for name, change in changes.items() if change.replaces],
            diffs=list(changes),
            detailed_diff=detailed(changes),
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        kind = self._kind(request.type)
        inputs = plain(request.properties)
        secrets = self._secrets(kind, request.properties)
        if request.preview:
            return sdk.CreateResponse(resource_id="", properties=wire(inputs, secrets))
        identifier, computed = await kind.create(self.api, inputs)
        return sdk.CreateResponse(resource_id=identifier, properties=wire(inputs | computed, secrets))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        kind = self._kind(request.type)
        old, new = plain(request.olds), plain(request.news)
        secrets = self._secrets(kind, request.news)
        if request.preview:
            kept = {one.name: old[one.name] for one in kind.table if one.secret and one.name in old}
            return sdk.UpdateResponse(properties=wire(new | kept, secrets))
        computed = await kind.update(self.api, request.resource_id, old, new)
        return sdk.UpdateResponse(properties=wire(new | computed, secrets))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        kind = self._kind(request.type)
        known = plain(request.properties)
        state = await kind.read(self.api, request.resource_id, known)
        if state is None:
            return sdk.ReadResponse(resource_id="", properties={}, inputs={})
        secrets = self._secrets(kind, request.properties)
        inputs = {one.name: state[one.name] for one in inputs_of(kind.table) if one.name in state}
        return sdk.ReadResponse(
            resource_id=request.resource_id, properties=wire(state, secrets), inputs=wire(inputs, secrets)
        )

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        if request.tok not in LOOKUPS:
            raise ProviderError(f"There is no function {request.tok}; there are {', '.join(sorted(LOOKUPS))}.")
        found = await LOOKUPS[request.tok].look_up(self.api, plain(request.args))
        return sdk.InvokeResponse(return_value=wire(found))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        kind = self._kind(request.type)
        await kind.delete(self.api, request.resource_id, plain(request.properties))

    def _secrets(self, kind: ResourceKind, given: dict[str, Any]) -> frozenset[str]:
        return secret_names(given) | {one.name for one in kind.table if one.secret}

    async def cancel(self) -> None:
        if self._api is not None:
            await self._api.close()


class _Servicer(server.ProviderServicer):
    """The SDK's servicer shows a traceback for every error; ours are sentences."""


def _clean(name: str) -> Callable[..., Awaitable[Any]]:
    original = getattr(server.ProviderServicer, name)

    async def call(self: _Servicer, request: Any, context: Any) -> Any:
        try:
            return await original(self, request, context)
        except Exception as error:
            cause = error.__context__ if not isinstance(error, ProviderError) else error
            if isinstance(cause, ProviderError):
                await context.abort(grpc.StatusCode.UNKNOWN, str(cause))
            raise

    return call


for _name in ("Configure", "Check", "Diff", "Create", "Update", "Read", "Delete", "Invoke"):
    setattr(_Servicer, _name, _clean(_name))


def main() -> None:
    """Serve the engine whose address is the first argument."""
    server.ProviderServicer = _Servicer  # type: ignore[misc]
    server.main(sys.argv[1:], version(), InfluxProvider())

"""The plugin: Pulumi's requests to the kinds of resources, errors to clean sentences.

It speaks the engine's protocol directly (pulumi/proto/pulumi/provider.proto). The SDK's own layer for providers in
Python loads the whole SDK at each start, hands numbers on as floats and shows a traceback for every error.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as proto

from provider import schema
from provider.api import CLOUD, OSS, Api, ProviderError
from provider.kinds import KINDS, LOOKUPS, ResourceKind
from provider.ownership import Mark
from provider.table import Change, check, diff, inputs_of, stored
from provider.values import is_unknown, plain, secret_names, wire

URL, TOKEN, CA_FILE = "INFLUXDB_URL", "INFLUXDB_TOKEN", "INFLUXDB_CA_FILE"
# In the inputs of a resource that was replaced: how often. Names that begin so are not shown in diffs.
GENERATION = "__generation"
_OPTIONS = (
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.server_max_unrequested_time_in_server", 1800),
)
_DIFF_KINDS = {
    ("add", False): proto.PropertyDiff.ADD,
    ("add", True): proto.PropertyDiff.ADD_REPLACE,
    ("delete", False): proto.PropertyDiff.DELETE,
    ("delete", True): proto.PropertyDiff.DELETE_REPLACE,
    ("update", False): proto.PropertyDiff.UPDATE,
    ("update", True): proto.PropertyDiff.UPDATE_REPLACE,
}


def detailed(changes: dict[str, Change]) -> dict[str, proto.PropertyDiff]:
    return {
        name: proto.PropertyDiff(kind=_DIFF_KINDS[change.kind, change.replaces], inputDiff=True)
        for name, change in changes.items()
    }


def generation_in(inputs: Struct) -> int:
    return int(inputs.fields[GENERATION].number_value) if GENERATION in inputs.fields else 0


def kind_of(token: str) -> ResourceKind:
    # Below a component the type comes as `<parent types>$<type>`.
    token = token.rpartition("$")[2]
    if token not in KINDS:
        raise ProviderError(f"There is no resource {token}; there are {', '.join(sorted(KINDS))}.")
    return KINDS[token]


def kind_at(urn: str) -> ResourceKind:
    """The kind of the resource with a URN (urn:pulumi:<stack>::<project>::<type>::<name>)."""
    return kind_of(urn.split("::")[2])


def _sentences(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Errors that a person has to know become the call's message, as they are."""

    async def call(self: InfluxProvider, request: Any, context: Any) -> Any:
        try:
            return await method(self, request, context)
        except ProviderError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception:
            # A fault of ours. A traceback holds code, no values.
            await context.abort(
                grpc.StatusCode.INTERNAL, f"a fault in the provider, please report it:\n{traceback.format_exc()}"
            )

    return call


class InfluxProvider(provider_pb2_grpc.ResourceProviderServicer):
    """The provider for InfluxDB 2."""

    def __init__(self) -> None:
        self._api: Api | None = None
        self._owner = ""
        # The generation of each resource that the state has, as the engine shows it in this run.
        self._in_state: dict[str, int] = {}

    @property
    def api(self) -> Api:
        if self._api is None:
            raise ProviderError("The provider was asked for something before it was configured.")
        return self._api

    async def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:  # noqa: N802
        return plugin_pb2.PluginInfo(version=schema.version())

    @_sentences
    async def GetSchema(self, request: proto.GetSchemaRequest, context: Any) -> proto.GetSchemaResponse:  # noqa: N802
        return proto.GetSchemaResponse(schema=schema.text())

    @_sentences
    async def CheckConfig(self, request: proto.CheckRequest, context: Any) -> proto.CheckResponse:  # noqa: N802
        inputs = Struct()
        inputs.CopyFrom(request.news)
        # Random, once per stack, and kept in its state: see provider/ownership.py.
        known = plain(request.olds).get("owner")
        inputs.fields["owner"].string_value = known if isinstance(known, str) else secrets.token_hex(8)
        return proto.CheckResponse(inputs=inputs)

    @_sentences
    async def DiffConfig(self, request: proto.DiffRequest, context: Any) -> proto.DiffResponse:  # noqa: N802
        # Another address or token is still the same server to us: it never replaces what is on it.
        same = plain(request.olds) == plain(request.news)
        return proto.DiffResponse(changes=proto.DiffResponse.DIFF_NONE if same else proto.DiffResponse.DIFF_SOME)

    @_sentences
    async def Configure(self, request: proto.ConfigureRequest, context: Any) -> proto.ConfigureResponse:  # noqa: N802
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
        ca_file = given.get("caFile") or os.environ.get(CA_FILE)
        if is_unknown(ca_file):
            raise ProviderError("influxdb:caFile is not known yet: it can't come from a resource of this stack.")
        flavor = given.get("flavor") or os.environ.get("INFLUXDB_FLAVOR") or OSS
        if flavor not in (OSS, CLOUD):
            raise ProviderError(f"influxdb:flavor is {flavor!r}; it has to be {OSS} or {CLOUD}.")
        self._api = Api(values["url"], values["token"], str(ca_file) if ca_file else None, str(flavor))
        self._owner = str(given.get("owner", ""))
        return proto.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=False)

    @_sentences
    async def Check(self, request: proto.CheckRequest, context: Any) -> proto.CheckResponse:  # noqa: N802
        kind = kind_at(request.urn)
        inputs, failures = check(kind.table, plain(request.news))
        if not failures:
            failures = await kind.check(self.api, plain(request.olds), inputs)
        answer = wire(
            {name: value for name, value in inputs.items() if name not in kind.transient},
            _secrets(kind, request.news),
        )
        generation = self._generation(request)
        if generation:
            answer.fields[GENERATION].number_value = generation
        return proto.CheckResponse(
            inputs=answer, failures=[proto.CheckFailure(property=one.property, reason=one.reason) for one in failures]
        )

    def _generation(self, request: proto.CheckRequest) -> int:
        """0 for what is made for the first time. The engine checks the replacement of something once more and then
        shows no old inputs, though it did so before: that is the next generation."""
        if request.olds.fields:
            self._in_state[request.urn] = generation_in(request.olds)
            return self._in_state[request.urn]
        return self._in_state[request.urn] + 1 if request.urn in self._in_state else 0

    @_sentences
    async def Diff(self, request: proto.DiffRequest, context: Any) -> proto.DiffResponse:  # noqa: N802
        kind = kind_at(request.urn)
        self.api.in_state.add(request.id)
        changes = diff(kind.table, plain(request.olds), plain(request.news), frozenset(request.ignoreChanges))
        return proto.DiffResponse(
            changes=proto.DiffResponse.DIFF_SOME if changes else proto.DiffResponse.DIFF_NONE,
            replaces=[name for name, change in changes.items() if change.replaces],
            diffs=list(changes),
            detailedDiff=detailed(changes),
            hasDetailedDiff=True,
            deleteBeforeReplace=kind.deleted_before_replaced,
        )

    @_sentences
    async def Create(self, request: proto.CreateRequest, context: Any) -> proto.CreateResponse:  # noqa: N802
        kind = kind_at(request.urn)
        inputs, secret = plain(request.properties), _secrets(kind, request.properties)
        if request.preview:
            return proto.CreateResponse(properties=wire(inputs, secret))
        mark = self._mark(request.urn, request.properties)
        identifier, computed = await _within(request.timeout, kind.create(self.api, inputs, mark))
        return proto.CreateResponse(id=identifier, properties=wire(inputs | computed, secret))

    @_sentences
    async def Update(self, request: proto.UpdateRequest, context: Any) -> proto.UpdateResponse:  # noqa: N802
        kind = kind_at(request.urn)
        old, new = plain(request.olds), plain(request.news)
        secret = _secrets(kind, request.news)
        if request.preview:
            return proto.UpdateResponse(properties=wire(new | kind.kept_by_update(old, new), secret))
        mark = self._mark(request.urn, request.news)
        computed = await _within(request.timeout, kind.update(self.api, request.id, old, new, mark))
        return proto.UpdateResponse(properties=wire(new | computed, secret))

    @_sentences
    async def Read(self, request: proto.ReadRequest, context: Any) -> proto.ReadResponse:  # noqa: N802
        kind = kind_at(request.urn)
        state = await kind.read(self.api, request.id, plain(request.properties))
        if state is None:
            return proto.ReadResponse(id="")
        secret = _secrets(kind, request.properties)
        inputs = wire({one.name: state[one.name] for one in inputs_of(kind.table) if one.name in state}, secret)
        generation = generation_in(request.inputs)
        if generation:
            inputs.fields[GENERATION].number_value = generation
        return proto.ReadResponse(id=kind.identifier(request.id, state), properties=wire(state, secret), inputs=inputs)

    @_sentences
    async def Delete(self, request: proto.DeleteRequest, context: Any) -> Empty:  # noqa: N802
        kind = kind_at(request.urn)
        if request.id in self.api.taken_over:
            # `--replace`: the engine says of the old one neither that it is there nor that it is to be replaced, so the
            # create took it for what an earlier run left behind. It is the new one by now.
            return Empty()
        await _within(request.timeout, kind.delete(self.api, request.id, plain(request.properties)))
        return Empty()

    @_sentences
    async def Invoke(self, request: proto.InvokeRequest, context: Any) -> proto.InvokeResponse:  # noqa: N802
        if request.tok not in LOOKUPS:
            raise ProviderError(f"There is no function {request.tok}; there are {', '.join(sorted(LOOKUPS))}.")
        found = await LOOKUPS[request.tok].look_up(self.api, plain(request.args))
        return proto.InvokeResponse(**{"return": wire(found)})

    async def Cancel(self, request: Any, context: Any) -> Empty:  # noqa: N802
        # Ctrl-C: calls that are under way take a moment, and cut off they would leave what the state does not know.
        return Empty()

    def _mark(self, urn: str, inputs: Struct) -> str:
        return Mark.of(self._owner, urn, generation_in(inputs)) if self._owner else ""

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()


def _secrets(kind: ResourceKind, given: Struct) -> frozenset[str]:
    return secret_names(given) | {one.name for one in stored(kind.table) if one.secret}


async def _within(seconds: float, work: Awaitable[Any]) -> Any:
    """`work`, for at most `seconds` where the program sets a timeout of its own."""
    try:
        return await asyncio.wait_for(work, seconds or None)
    except TimeoutError:
        raise ProviderError(f"not done within the {seconds:g} s that the program's custom timeout allows") from None


async def _serve(engine: int) -> None:
    provider = InfluxProvider()
    server = grpc.aio.server(options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    # An engine that was killed can't end its plugins: who lost its parent ends itself.
    while os.getppid() == engine:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.5)
    await server.stop(None)
    await provider.close()


def main() -> None:
    """Serve the engine that started this process."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(os.getppid()))
    sys.stdout.close()

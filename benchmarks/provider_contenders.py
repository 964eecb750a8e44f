"""The three that the provider's benchmark runs: a stub and the provider under the same program, and plain API calls."""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil

from operations.pulumi_runner import runner_environment
from provider.api import Api
from tools import find

DAY = 86400
TIERS = (("events", 365, 7), ("events_hourly", 730, 30), ("events_daily", 2555, 90))
TASKS, TOKENS = 6, 5
PER_HOME = 1 + len(TIERS) + TASKS + TOKENS
PLUGIN = "pulumi-resource-influxdb"


def script(number: int) -> str:
    return (
        f'option task = {{name: "summary {number}", every: 1h}}\n'
        'from(bucket: "events") |> range(start: -1h) |> filter(fn: (r) => r._field == "f") |> group() |> sum()'
    )


PROGRAM = """
import os
from benchmarks.provider_contenders import DAY, TASKS, TIERS, TOKENS, script
from provider import Authorization, Bucket, Organization, Task

for home in range(int(os.environ["BENCH_HOMES"])):
    org = Organization(f"org-{home}", name=f"{os.environ['BENCH_PREFIX']}-{home}")
    # The one change: the first home keeps its raw events a day longer.
    longer = int(os.environ["BENCH_LONGER"]) if home == 0 else 0
    buckets = [
        Bucket(
            f"{name}-{home}", org_id=org.id, name=name, shard_group_duration=width * DAY,
            retention=(kept + (longer if name == "events" else 0)) * DAY,
        )
        for name, kept, width in TIERS
    ]
    for number in range(TASKS):
        Task(f"task-{home}-{number}", org_id=org.id, flux=script(number))
    for number in range(TOKENS):
        permission = {"action": "read", "resource": {"type": "buckets", "id": buckets[number % len(TIERS)].id}}
        Authorization(f"token-{home}-{number}", org_id=org.id, description=str(number), permissions=[permission])
"""

# What the engine and the program take by themselves: it answers at once, and is itself as lean as a plugin in Python
# can be. It loads the protocol's messages only, not the SDK.
STUB = """#!{python}
import asyncio, importlib.util, pathlib, secrets, sys, types

sdk = pathlib.Path(importlib.util.find_spec("pulumi").origin).parent
for name, folder in (("pulumi", sdk), ("pulumi.runtime", sdk / "runtime")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(folder)]

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2 as proto, provider_pb2_grpc


class Stub(provider_pb2_grpc.ResourceProviderServicer):
    async def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="0.0.1")
    async def GetSchema(self, request, context):
        return proto.GetSchemaResponse(schema="{{}}")
    async def CheckConfig(self, request, context):
        return proto.CheckResponse(inputs=request.news)
    async def DiffConfig(self, request, context):
        return proto.DiffResponse(changes=proto.DiffResponse.DIFF_NONE)
    async def Configure(self, request, context):
        return proto.ConfigureResponse(acceptSecrets=True, supportsPreview=True)
    async def Check(self, request, context):
        return proto.CheckResponse(inputs=request.news)
    async def Diff(self, request, context):
        changed = [name for name in request.news.fields if request.news.fields[name] != request.olds.fields[name]]
        kind = proto.DiffResponse.DIFF_SOME if changed else proto.DiffResponse.DIFF_NONE
        return proto.DiffResponse(changes=kind, diffs=changed)
    async def Create(self, request, context):
        return proto.CreateResponse(id="" if request.preview else secrets.token_hex(8), properties=request.properties)
    async def Update(self, request, context):
        return proto.UpdateResponse(properties=request.news)
    async def Read(self, request, context):
        return proto.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
    async def Delete(self, request, context):
        return Empty()
    async def Cancel(self, request, context):
        return Empty()


async def serve():
    server = grpc.aio.server()
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Stub(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()

try:
    asyncio.run(serve())
except KeyboardInterrupt:
    pass
"""


def write_stub(folder: Path) -> Path:
    """The folder of the stub's plugin."""
    folder.mkdir()
    plugin = folder / PLUGIN
    plugin.write_text(STUB.format(python=sys.executable))
    plugin.chmod(0o755)
    return folder


def is_plugin(process: psutil.Process) -> bool:
    return any(PLUGIN in part for part in process.cmdline())


class PeakMemory:
    """The most that the processes below this one held at a moment, in bytes: of the plugin alone, and of all.

    Resident memory; what two processes share is counted twice, so `all` is an upper bound.
    """

    def __init__(self) -> None:
        self.plugin = 0
        self.all = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._ended.wait(0.1):
            total = 0
            for process in own.children(recursive=True):
                try:
                    held = process.memory_info().rss
                    if "influxd" in process.name():
                        continue
                    total += held
                    if held > self.plugin and is_plugin(process):
                        self.plugin = held
                except psutil.Error:
                    continue
            self.all = max(self.all, total)


class Runner:
    """One Pulumi project in a folder and a state of its own, with the plugin in `plugin`."""

    def __init__(self, folder: Path, plugin: Path, environment: dict[str, str]) -> None:
        folder.mkdir()
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text(
            f"name: bench\nruntime: python\nplugins:\n  providers:\n    - name: influxdb\n      path: {plugin}\n"
        )
        (folder / "__main__.py").write_text(PROGRAM)
        self.folder = folder
        self.environment = runner_environment(
            {
                **environment,
                "BENCH_LONGER": "0",
                "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": secrets.token_hex(8),
            }
        )
        self.seconds("stack", "init")

    def seconds(self, *arguments: str) -> float:
        started = time.perf_counter()
        answer = subprocess.run(
            [find.pulumi(), *arguments, "--stack", "bench", "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if answer.returncode != 0:
            sys.exit(f"pulumi {' '.join(arguments)} failed:\n{answer.stdout[-2000:]}{answer.stderr[-2000:]}")
        return time.perf_counter() - started

    def steps(self) -> dict[str, Callable[[], float]]:
        """What is measured, in the order in which it has to be done."""

        def change() -> float:
            self.environment["BENCH_LONGER"] = "1"
            return self.seconds("up", "--yes", "--skip-preview")

        return {
            "up": lambda: self.seconds("up", "--yes", "--skip-preview"),
            "noop": lambda: self.seconds("preview", "--expect-no-changes"),
            "change": change,
            "refresh": lambda: self.seconds("refresh", "--yes", "--skip-preview"),
            "destroy": lambda: self.seconds("destroy", "--yes", "--skip-preview"),
        }


class Plain:
    """The same objects by concurrent HTTP calls: without state, diff, check or order."""

    def __init__(self, url: str, token: str, homes: int, prefix: str) -> None:
        self._server = (url, token)
        self._homes = homes
        self._prefix = prefix
        self._paths: list[str] = []
        self._first_bucket = ""

    def steps(self) -> dict[str, Callable[[], float]]:
        async def change(api: Api) -> None:
            rule = {"type": "expire", "everySeconds": 366 * DAY, "shardGroupDurationSeconds": 7 * DAY}
            await api.call("PATCH", self._first_bucket, {"retentionRules": [rule]})

        async def refresh(api: Api) -> None:
            await asyncio.gather(*(api.call("GET", path) for path in self._paths))

        async def destroy(api: Api) -> None:
            # Organizations last: what is theirs could not be named any more.
            inner = [path for path in self._paths if "/orgs/" not in path]
            await asyncio.gather(*(api.call("DELETE", path) for path in inner))
            await asyncio.gather(*(api.call("DELETE", path) for path in self._paths if "/orgs/" in path))

        wanted = {"up": self._create, "change": change, "refresh": refresh, "destroy": destroy}
        return {name: functools.partial(self._run, work) for name, work in wanted.items()}

    def _run(self, work: Callable[[Api], Awaitable[None]]) -> float:
        return asyncio.run(self._timed(work))

    async def _timed(self, work: Callable[[Api], Awaitable[None]]) -> float:
        api = Api(*self._server)
        started = time.perf_counter()
        try:
            await work(api)
        finally:
            await api.close()
        return time.perf_counter() - started

    async def _make(self, api: Api, path: str, body: dict[str, Any]) -> str:
        identifier = str((await api.call("POST", path, body))["id"])
        self._paths.append(f"{path}/{identifier}")
        return identifier

    async def _create(self, api: Api) -> None:
        await asyncio.gather(*(self._home(api, number) for number in range(self._homes)))

    async def _home(self, api: Api, number: int) -> None:
        org = await self._make(api, "/api/v2/orgs", {"name": f"{self._prefix}-{number}"})

        async def bucket(name: str, kept: int, width: int) -> str:
            rule = {"type": "expire", "everySeconds": kept * DAY, "shardGroupDurationSeconds": width * DAY}
            return await self._make(api, "/api/v2/buckets", {"orgID": org, "name": name, "retentionRules": [rule]})

        async def token(one: int) -> None:
            resource = {"type": "buckets", "orgID": org, "id": buckets[one % len(buckets)]}
            body = {"orgID": org, "description": str(one), "permissions": [{"action": "read", "resource": resource}]}
            await self._make(api, "/api/v2/authorizations", body)

        buckets = await asyncio.gather(*(bucket(*tier) for tier in TIERS))
        self._first_bucket = self._first_bucket or f"/api/v2/buckets/{buckets[0]}"
        await asyncio.gather(
            *(
                self._make(api, "/api/v2/tasks", {"orgID": org, "flux": script(one), "status": "active"})
                for one in range(TASKS)
            ),
            *(token(one) for one in range(TOKENS)),
        )


def environment(url: str, token: str, homes: int, prefix: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name.startswith("BENCH_")},
        "INFLUXDB_URL": url,
        "INFLUXDB_TOKEN": token,
        "BENCH_HOMES": str(homes),
        "BENCH_PREFIX": prefix,
    }

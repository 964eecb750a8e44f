"""The provider beside a stub and plain API calls, in one run: `python -m benchmarks.provider`.

The same Pulumi program declares 20 homes of 15 resources. `influxdb` applies it to a real influxd; `stub` is a
provider that answers at once and does nothing, so what it takes is the engine's own; `plain` makes the same objects
by concurrent HTTP calls, without state, diff or check. Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.result import publish
from operations.influxd import LocalInfluxd
from operations.pulumi_runner import runner_environment
from provider.api import Api
from tools import find

DAY = 86400
TIERS = (("events", 365, 7), ("events_hourly", 730, 30), ("events_daily", 2555, 90))
TASKS, TOKENS = 6, 5
PER_HOME = 1 + len(TIERS) + TASKS + TOKENS


def script(number: int) -> str:
    return (
        f'option task = {{name: "summary {number}", every: 1h}}\n'
        'from(bucket: "events") |> range(start: -1h) |> filter(fn: (r) => r._field == "f") |> group() |> sum()'
    )


PROGRAM = """
import os
from benchmarks.provider import DAY, TASKS, TIERS, TOKENS, script
from provider import Authorization, Bucket, Organization, Task

for home in range(int(os.environ["BENCH_HOMES"])):
    org = Organization(f"org-{home}", name=f"{os.environ['BENCH_PREFIX']}-{home}")
    buckets = [
        Bucket(f"{name}-{home}", org_id=org.id, name=name, retention=kept * DAY, shard_group_duration=width * DAY)
        for name, kept, width in TIERS
    ]
    for number in range(TASKS):
        Task(f"task-{home}-{number}", org_id=org.id, flux=script(number))
    for number in range(TOKENS):
        permission = {"action": "read", "resource": {"type": "buckets", "id": buckets[number % len(TIERS)].id}}
        Authorization(f"token-{home}-{number}", org_id=org.id, description=str(number), permissions=[permission])
"""

STUB = """#!{python}
import secrets, sys
from pulumi.provider.experimental import provider as sdk, server

class Stub(sdk.Provider):
    async def get_schema(self, request):
        return sdk.GetSchemaResponse("{{}}")
    async def configure(self, request):
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True, accept_resources=False)
    async def check(self, request):
        return sdk.CheckResponse(inputs=request.new_inputs)
    async def diff(self, request):
        return sdk.DiffResponse(changes=False)
    async def create(self, request):
        identifier = "" if request.preview else secrets.token_hex(8)
        return sdk.CreateResponse(resource_id=identifier, properties=request.properties)

server.main(sys.argv[1:], "0.0.1", Stub())
"""


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


async def plain(server: LocalInfluxd, homes: int, prefix: str) -> float:
    """Seconds for the same objects by plain concurrent calls."""
    api = Api(server.url, server.token)

    async def home(number: int) -> None:
        org = (await api.call("POST", "/api/v2/orgs", {"name": f"{prefix}-{number}"}))["id"]

        async def bucket(name: str, kept: int, width: int) -> str:
            rule = {"type": "expire", "everySeconds": kept * DAY, "shardGroupDurationSeconds": width * DAY}
            body = {"orgID": org, "name": name, "retentionRules": [rule]}
            return str((await api.call("POST", "/api/v2/buckets", body))["id"])

        buckets = await asyncio.gather(*(bucket(*tier) for tier in TIERS))
        tasks: list[dict[str, Any]] = [{"orgID": org, "flux": script(one), "status": "active"} for one in range(TASKS)]
        tokens: list[dict[str, Any]] = [
            {
                "orgID": org,
                "description": str(one),
                "permissions": [
                    {"action": "read", "resource": {"type": "buckets", "orgID": org, "id": buckets[one % len(buckets)]}}
                ],
            }
            for one in range(TOKENS)
        ]
        await asyncio.gather(
            *(api.call("POST", "/api/v2/tasks", body) for body in tasks),
            *(api.call("POST", "/api/v2/authorizations", body) for body in tokens),
        )

    started = time.perf_counter()
    await asyncio.gather(*(home(number) for number in range(homes)))
    took = time.perf_counter() - started
    await api.close()
    return took


def one_round(server: LocalInfluxd, folder: Path, stub: Path, homes: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, plugin in (("stub", stub), ("influxdb", find.ROOT / "provider")):
        environment = {
            "INFLUXDB_URL": server.url,
            "INFLUXDB_TOKEN": server.token,
            "BENCH_HOMES": str(homes),
            "BENCH_PREFIX": f"{name}-{secrets.token_hex(4)}",
        }
        runner = Runner(folder / name, plugin, environment)
        found[f"{name}_up"] = runner.seconds("up", "--yes", "--skip-preview")
        found[f"{name}_noop"] = runner.seconds("preview", "--expect-no-changes")
    found["plain_up"] = asyncio.run(plain(server, homes, f"plain-{secrets.token_hex(4)}"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.provider", description=__doc__)
    parser.add_argument("--homes", type=int, default=20, help=f"homes of {PER_HOME} resources (20)")
    parser.add_argument("--rounds", type=int, default=3, help="each contender runs once per round (3)")
    chosen = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory(prefix="hearthflux-bench-") as text:
        folder = Path(text)
        stub = folder / "stub-plugin" / "pulumi-resource-influxdb"
        stub.parent.mkdir()
        stub.write_text(STUB.format(python=sys.executable))
        stub.chmod(0o755)
        for number in range(chosen.rounds):
            # A server of its own for every round: what an earlier round left would slow down a later one.
            place = folder / f"round-{number}"
            place.mkdir()
            server = LocalInfluxd(place / "influxd").start()
            try:
                rounds.append(one_round(server, place, stub.parent, chosen.homes))
            finally:
                server.kill()
    figures = {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}
    ratios = {
        kind: round(statistics.median(one[f"influxdb_{step}"] / one[f"stub_{step}"] for one in rounds), 3)
        for kind, step in (("up_vs_stub", "up"), ("noop_vs_stub", "noop"))
    }
    print(f"{chosen.homes * PER_HOME} resources, {chosen.rounds} round(s), {os.cpu_count()} cores; median seconds")
    for name, seconds in figures.items():
        print(f"  {name:16} {seconds:8.2f}")
    publish(
        {
            "bench": "provider",
            "ratios": ratios,
            "figures": {**figures, "resources": chosen.homes * PER_HOME, "rounds": chosen.rounds},
        }
    )


if __name__ == "__main__":
    main()

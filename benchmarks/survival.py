"""What survives: the same stream of events through several writers while things go wrong: `make bench-survival`.

Every writer gets the same numbered events, each in a process of its own and into a bucket of its own, all at the same
time on one real influxd, each as it comes (its own defaults for batches and retries). In each scenario the fault is
real: the server or the writer is killed, paused, its token switched off, its bucket deleted. Counted are events: those
for which the call had returned without an error ("taken"), those of them that are not in the database in the end
("lost"), and those that the caller was told of instead: by an error that the call raised, by an error callback, as a
dead letter that can be looked at and sent again. What a callback tells of counts as lost all the same: whoever called
has to have kept it. The longest call says who makes his caller wait.

For Telegraf, the process that is killed is Telegraf. It is compared where `make telegraf` has built it.
Prints tables and one line of JSON. All scenarios take about 10 minutes, most of it waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.result import publish
from benchmarks.survival_process import CONTENDERS
from benchmarks.survival_scenarios import SCENARIOS, Scenario
from benchmarks.telegraf import Telegraf
from operations.influxd import LocalInfluxd
from tools.telegraf import PROGRAM as TELEGRAF

ROOT = Path(__file__).resolve().parent.parent
# After the stream, until nothing changes any more.
UNCHANGED_SECONDS, SETTLED_AT_MOST = 12.0, 60.0
CLOSING_SECONDS = 90.0


@dataclass
class Contest:
    """One writer in one scenario, over all of its processes."""

    name: str
    place: dict[str, Any]
    telegraf: Telegraf | None = None
    process: asyncio.subprocess.Process | None = None
    reading: asyncio.Task[None] | None = None
    taken: set[int] = field(default_factory=set)
    raised: set[int] = field(default_factory=set)
    called_back: set[int] = field(default_factory=set)
    dead_lettered: int = 0
    errors: list[str] = field(default_factory=list)
    next: int = 0
    longest_call: float = 0.0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    async def start(self) -> None:
        if self.telegraf is not None:
            await asyncio.to_thread(self.telegraf.start)
        if self.process is None or self.process.returncode is not None:
            self.ready.clear()
            place = json.dumps({**self.place, "first": self.next})
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.survival_process", place),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
                limit=2**24,
            )
            self.reading = asyncio.create_task(self._read())
            await self.ready.wait()

    async def go_on(self) -> None:
        """Begin the stream, or end after it."""
        assert self.process is not None
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write(b"\n")
            await self.process.stdin.drain()

    async def start_again(self) -> None:
        running = self.process
        await self.start()
        if self.process is not running:
            await self.go_on()

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # the last line of a process that was killed
                self._hear(json.loads(line))

    def _hear(self, said: dict[str, Any]) -> None:
        if "calls" in said:
            first, self.next = said["calls"]
            (self.raised if "error" in said else self.taken).update(range(first, self.next))
            self.longest_call = max(self.longest_call, said["seconds"])
        if "ready" in said:
            self.ready.set()
        if "callback" in said:
            self.called_back.update(said["callback"])
        if "error" in said and said["error"] not in self.errors:
            self.errors.append(said["error"])
        self.dead_lettered += said.get("dead_lettered", 0)
        self.over = self.over or "stream" in said

    async def kill(self) -> None:
        """The process that holds what was taken: Telegraf, or the writer's own."""
        if self.telegraf is not None:
            await asyncio.to_thread(self.telegraf.kill)
        elif self.process is not None:
            self.process.kill()
            await self._ended()

    async def _ended(self) -> None:
        assert self.process is not None
        assert self.reading is not None
        await self.process.wait()
        await self.reading

    async def end(self) -> None:
        """Let the program end in its own way, then what it left to others."""
        assert self.process is not None
        await self.go_on()
        try:
            await asyncio.wait_for(self.process.wait(), CLOSING_SECONDS)
        except TimeoutError:
            self.process.kill()
        await self._ended()

    async def clean_up(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self._ended()
        if self.telegraf is not None:
            await asyncio.to_thread(self.telegraf.stop)

    def result(self, stored: set[int]) -> dict[str, Any]:
        lost = self.taken - stored
        kept = min(self.dead_lettered, len(lost))
        return {
            "offered": self.next,
            "taken": len(self.taken),
            "stored": len(stored),
            "lost": len(lost) - kept,
            "dead_lettered": kept,
            "told_by_error": len(self.raised - stored),
            "told_by_callback": len(self.called_back & lost),
            "longest_call_seconds": self.longest_call,
            "first_error": self.errors[0] if self.errors else "",
        }


class Stage:
    """The server, its buckets, and the token that all writers share."""

    def __init__(self, server: LocalInfluxd) -> None:
        self.server = server
        self._buckets = 0
        made = server.api(
            "POST",
            "/api/v2/authorizations",
            {
                "orgID": server.org_id,
                "permissions": [
                    {"action": "write", "resource": {"type": "buckets", "orgID": server.org_id}},
                ],
            },
        )
        self._authorization, self.token = made["id"], made["token"]

    def bucket(self, name: str) -> str:
        self._buckets += 1
        name = f"{name}-{self._buckets}"
        self.make(name)
        return name

    def make(self, bucket: str) -> None:
        self.server.api("POST", "/api/v2/buckets", {"name": bucket, "orgID": self.server.org_id, "retentionRules": []})

    def delete(self, bucket: str) -> None:
        found = self.server.api("GET", f"/api/v2/buckets?name={bucket}")["buckets"][0]["id"]
        self.server.api("DELETE", f"/api/v2/buckets/{found}")

    def switch_token(self, status: str) -> None:
        self.server.api("PATCH", f"/api/v2/authorizations/{self._authorization}", {"status": status})

    def write(self, bucket: str, line: str) -> None:
        self._post(f"/api/v2/write?org={self.server.org}&bucket={bucket}", line.encode(), "text/plain")

    def stored(self, bucket: str) -> set[int]:
        """The numbers of all events in a bucket."""
        flux = (
            f'from(bucket: "{bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'
            ' |> filter(fn: (r) => r._field == "state_value") |> keep(columns: ["_value"])'
        )
        body = json.dumps({"query": flux, "type": "flux"}).encode()
        answer = self._post(f"/api/v2/query?org={self.server.org}", body, "application/json")
        return {
            int(cell[1:]) for line in answer.splitlines() if (cell := line.rpartition(",")[2].strip())[1:].isdigit()
        }

    def _post(self, path: str, body: bytes, kind: str) -> str:
        headers = {"Authorization": f"Token {self.server.token}", "Content-Type": kind}
        request = urllib.request.Request(self.server.url + path, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())


def installed() -> tuple[list[str], dict[str, str]]:
    """The writers that can run, and why others cannot."""
    names, missing = [], {}
    for name in CONTENDERS:
        if name.startswith("Telegraf") and not TELEGRAF.is_file():
            missing[name] = "not installed: 'make telegraf' builds it"
        elif name.startswith("influxdb3") and importlib.util.find_spec("influxdb_client_3") is None:
            missing[name] = "not installed: pip install influxdb3-python"
        else:
            names.append(name)
    return names, missing


def prepare(stage: Stage, scenario: Scenario, name: str, folder: Path, base: int) -> Contest:
    words = name.replace(" ", "-").lower()
    target = {"url": stage.server.url, "token": stage.token, "org": stage.server.org, "bucket": stage.bucket(words)}
    stage.write(target["bucket"], f'home_assistant_events,entity_id=sensor.other confidence="a text" {base}')
    own = folder / scenario.name / words
    own.mkdir(parents=True)
    telegraf = None
    if name.startswith("Telegraf"):
        telegraf = Telegraf(TELEGRAF, own, "disk" if "disk" in name else "memory", target)
    place = {
        **target,
        "contender": name,
        "folder": str(own),
        "base": base,
        "count": scenario.count,
        "rate": scenario.rate,
        "conflict": scenario.conflict,
        "malformed": scenario.malformed,
        "ending": scenario.ending,
        "more": scenario.more,
        "telegraf": telegraf.url if telegraf else "",
    }
    return Contest(name, place, telegraf)


async def play(stage: Stage, scenario: Scenario, names: Iterable[str], folder: Path) -> dict[str, dict[str, Any]]:
    base = time.time_ns()
    contests = [prepare(stage, scenario, name, folder, base) for name in names]
    server = stage.server

    async def each(what: Callable[[Contest], Any]) -> None:
        await asyncio.gather(*(what(contest) for contest in contests))

    async def of_server(what: Callable[[], object]) -> None:
        await asyncio.to_thread(what)

    actions: dict[str, Callable[[], Any]] = {
        "kill server": lambda: of_server(server.kill),
        "start server": lambda: of_server(server.start),
        "pause server": lambda: of_server(server.pause),
        "resume server": lambda: of_server(server.resume),
        "disable token": lambda: of_server(lambda: stage.switch_token("inactive")),
        "enable token": lambda: of_server(lambda: stage.switch_token("active")),
        "delete buckets": lambda: of_server(lambda: [stage.delete(contest.place["bucket"]) for contest in contests]),
        "make buckets": lambda: of_server(lambda: [stage.make(contest.place["bucket"]) for contest in contests]),
        "kill writers": lambda: each(Contest.kill),
        "start writers": lambda: each(Contest.start_again),
    }

    def stored() -> dict[str, set[int]]:
        return {contest.name: stage.stored(contest.place["bucket"]) for contest in contests}

    async def settled() -> None:
        last: dict[str, set[int]] = {}
        end, since = time.monotonic() + SETTLED_AT_MOST, time.monotonic()
        while time.monotonic() < end and time.monotonic() - since < UNCHANGED_SECONDS:
            await asyncio.sleep(1)
            found = await asyncio.to_thread(stored)
            if all(contest.over and contest.taken <= found[contest.name] for contest in contests):
                return
            if found != last:
                last, since = found, time.monotonic()

    try:
        await each(Contest.start)
        for second, step in scenario.steps:
            if second < 0:
                await actions[step]()
        await each(Contest.go_on)
        started = time.monotonic()
        for second, step in scenario.steps:
            if second >= 0:
                await asyncio.sleep(max(0.0, started + second - time.monotonic()))
                await actions[step]()
        while not all(contest.over for contest in contests):  # noqa: ASYNC110 - they say it
            await asyncio.sleep(0.1)
        if scenario.ending == "exit":
            await each(Contest.end)
            for contest in contests:
                contest.place["ending"] = "close"
            await each(Contest.start_again)
        await settled()
        await each(Contest.end)
        await each(Contest.clean_up)
        found = stored()
        return {contest.name: contest.result(found[contest.name]) for contest in contests}
    finally:
        await each(Contest.clean_up)


def told(result: dict[str, Any]) -> str:
    """What whoever called knows of the events that are not in the database."""
    ways = (("told_by_error", "error"), ("dead_lettered", "dead letter"), ("told_by_callback", "callback"))
    found = [f"{result[key]:,} by {way}" for key, way in ways if result[key]]
    silent = result["lost"] - result["told_by_callback"]
    return ", ".join([*found, *([f"{silent:,} not told"] if silent else [])])


def print_table(scenario: Scenario, results: dict[str, dict[str, Any]]) -> None:
    print(f"\n{scenario.name}: {scenario.what}")
    print(f"  {'':28}{'offered':>9}{'taken':>9}{'stored':>9}{'lost':>8}{'longest call':>14}  told")
    for name, result in results.items():
        numbers = f"{result['offered']:9,}{result['taken']:9,}{result['stored']:9,}{result['lost']:8,}"
        print(f"  {name:28}{numbers}{result['longest_call_seconds']:12,.1f} s  {told(result)}", flush=True)


async def compete(stage: Stage, folder: Path, scenarios: list[Scenario]) -> dict[str, Any]:
    names, missing = installed()
    for name, why in missing.items():
        print(f"{name}: {why}")
    figures: dict[str, Any] = {}
    for scenario in scenarios:
        print(f"{scenario.name} is played", file=sys.stderr, flush=True)
        figures[scenario.name] = await play(stage, scenario, names, folder)
        print_table(scenario, figures[scenario.name])

    def share(name: str) -> float:
        """Lost events of all that it took."""
        rows = [figures[scenario.name][name] for scenario in scenarios]
        return float(sum(row["lost"] for row in rows) / max(1, sum(row["taken"] for row in rows)))

    words = {name: name.replace(" ", "_").replace("-", "_").lower() for name in names}
    ratios = {f"lost_{words[name]}": share(name) for name in names}
    return {"bench": "survival", "ratios": ratios, "figures": {**figures, "missing": missing}}


def chosen(text: str) -> list[Scenario]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = [scenario.name for scenario in SCENARIOS]
    for word in words:
        if word not in known:
            raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(known)}")
    return [scenario for scenario in SCENARIOS if scenario.name in words]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.survival", description=__doc__)
    parser.add_argument(
        "--only", type=chosen, default=list(SCENARIOS), metavar="NAMES", help="scenarios, separated by commas"
    )
    scenarios = parser.parse_args().only
    with tempfile.TemporaryDirectory(prefix="hearthflux-bench-") as folder:
        server = LocalInfluxd(Path(folder) / "influxd")
        try:
            result = asyncio.run(compete(Stage(server.start()), Path(folder), scenarios))
        finally:
            server.kill()
    publish(result)


if __name__ == "__main__":
    main()

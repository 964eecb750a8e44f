"""Any sequence of writes, faults, crashes and restarts, beside a reference model of a few sets.

The writer is a process that is really killed; the server is the real influxd, killed too, with a proxy in between for
the faults that it cannot be made to show.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from aiohttp import web
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.writer.conftest import Home
from tests.writer.faulty import FaultyProxy, refusal
from writer.spool import Spool

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ("none", "500", "503", "413", "cut", "hang")


class Proxy:
    """A FaultyProxy in a thread, whose fault is set from outside."""

    def __init__(self, target: str) -> None:
        self.fault = "none"
        self._ready, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(target)))
        self._thread.start()
        assert self._ready.wait(10)

    def _decide(self, body: bytes, _: int) -> web.StreamResponse | str | None:
        if self.fault == "413":
            return refusal(413, "too large") if len(body) > 2_000 else None
        if self.fault in ("500", "503"):
            return refusal(int(self.fault), "by the proxy")
        return self.fault if self.fault in ("cut", "hang") else None

    async def _serve(self, target: str) -> None:
        async with FaultyProxy(target, self._decide) as proxy:
            self.url = proxy.url
            self._ready.set()
            await asyncio.to_thread(self._end.wait)

    def close(self) -> None:
        self._end.set()
        self._thread.join(20)


class Writing(RuleBasedStateMachine):
    home: Home
    proxy: Proxy
    folder: Path
    examples = 0

    @initialize(policy=st.sampled_from(["block", "drop_oldest", "drop_newest"]))
    def begin(self, policy: str) -> None:
        type(self).examples += 1
        self.home.bucket = f"machine-{self.examples}"
        self.home.make_bucket()
        self.base = time.time_ns()
        self.home.post(f'home_assistant_events,entity_id=sensor.other confidence="a text" {self.base}')
        self.policy, self.next = policy, 0
        self.token = self.folder / f"token-{self.examples}"
        self.token.write_text(self.home.server.token)
        self.spool = self.folder / f"spool-{self.examples}.sqlite"
        # The model: what was certainly accepted, what was perhaps (killed while writing), by whether it can be stored.
        self.accepted: dict[str, set[int]] = {"good": set(), "conflict": set()}
        self.perhaps: dict[str, set[int]] = {"good": set(), "conflict": set()}
        self.dropped = 0
        self.proxy.fault = "none"
        self.start()

    # the writer's process -------------------------------------------------------------------------------

    def start(self) -> None:
        arguments: dict[str, Any] = {
            "url": self.proxy.url,
            "token_file": str(self.token),
            "org": self.home.server.org,
            "bucket": self.home.bucket,
            "spool_path": str(self.spool),
            "batch_size": 20,
            "batch_timeout": 0.05,
            "write_timeout": 0.5,
            "retry_first": 0.02,
            "retry_longest": 0.1,
            "close_timeout": 0.1,
            "when_full": self.policy,
            "spool_limit_bytes": 1_000_000 if self.policy == "block" else 8_000,
            "base": self.base,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.writer.machine_process", json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.last_dropped = 0
        self.hear()

    def tell(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert answer["accepted"] == answer["known"], answer
        self.last_dropped = answer["dropped"]
        return answer

    def end(self) -> None:
        self.dropped += self.last_dropped
        self.process.kill()
        self.process.wait(30)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(30) == 0

    def numbers(self, count: int) -> list[int]:
        self.next += count
        return list(range(self.next - count, self.next))

    # what can happen ------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 70), kind=st.sampled_from(["good", "good", "good", "conflict"]))
    def write(self, count: int, kind: str) -> None:
        chosen = self.numbers(count if kind == "good" else 1 + count % 3)
        self.tell(write=chosen, kind=kind)
        self.hear()
        self.accepted[kind].update(chosen)

    @rule()
    def write_what_is_refused(self) -> None:
        self.tell(write=self.numbers(2), kind="invalid")
        self.hear()

    @rule(fault=st.sampled_from(FAULTS))
    def fault(self, fault: str) -> None:
        self.proxy.fault = fault

    @rule()
    def token_is_revoked(self) -> None:
        self.token.write_text("revoked")

    @rule()
    def token_is_renewed(self) -> None:
        self.token.write_text(self.home.server.token)

    @rule(seconds=st.sampled_from([0.02, 0.2]))
    def flush(self, seconds: float) -> None:
        self.tell(flush=seconds)
        self.hear()

    @rule()
    def writer_crashes(self) -> None:
        self.end()
        self.start()

    # Drops that a killed process did not tell of cannot be counted.
    @precondition(lambda self: self.policy == "block")
    @rule(count=st.integers(1, 300), after=st.sampled_from([0.0, 0.002, 0.01]))
    def writer_crashes_while_it_writes(self, count: int, after: float) -> None:
        chosen = self.numbers(count)
        self.tell(write=chosen, kind="good")
        time.sleep(after)
        self.end()
        self.perhaps["good"].update(chosen)
        self.start()

    @rule()
    def writer_is_closed_and_opened(self) -> None:
        self.close()
        self.end()
        self.start()

    @rule()
    def server_crashes(self) -> None:
        self.home.server.kill()
        self.home.server.start()

    # what is true in the end ----------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "process"):
            return
        try:
            self.proxy.fault = "none"
            self.token.write_text(self.home.server.token)
            self.tell(flush=60)
            answer = self.hear()
            assert (answer["pending"], answer["health"]) == (0, "healthy")
            self.close()
        finally:
            self.end()
        stored = [int(value.removeprefix("s")) for value in self.home.values()]
        assert len(stored) == len(set(stored))
        self.compare("good", set(stored) - self.accepted["conflict"], self.dropped)
        spool = Spool.look(self.spool)
        lines = [letter.line.decode() for letter in spool.dead_letters(most=10_000)]
        assert spool.waiting().lines == 0
        spool.close()
        assert all("sensor.conflict" in line for line in lines)
        dead = {int(line.split('state_value="s')[1][:5]) for line in lines}
        self.compare("conflict", dead, self.dropped)

    def compare(self, kind: str, found: set[int], dropped: int) -> None:
        assert found <= self.accepted[kind] | self.perhaps[kind]
        missing = self.accepted[kind] - found
        assert len(missing) <= dropped, (kind, missing, dropped)


def test_whatever_happens_nothing_accepted_is_lost(private_home: Home, tmp_path: Path) -> None:
    proxy = Proxy(private_home.server.url)
    try:
        machine = type("Machine", (Writing,), {"home": private_home, "proxy": proxy, "folder": tmp_path})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=8,
                stateful_step_count=10,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        proxy.close()

"""Any sequence of writes, faults, crashes and restarts, beside a reference model of a few sets.

The writer is a process that is really killed; the server is the real influxd, killed too, with a proxy in between for
the faults that it cannot be made to show. The model knows every event by its number, and so in the end

    database + dead letters = accepted - dropped

event by event. In doubt is only a call that was killed, of which the first so many events are there, none or all; and
what was dropped after a restart, of which the last batches may have arrived before it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.writer import machine_process
from tests.writer.conftest import Home
from tests.writer.faulty import FaultyProxy, refusal
from writer.spool import Spool

FAULTS = ("none", "none", "500", "503", "413", "cut", "hang")
PROCESSES = multiprocessing.get_context("forkserver")
# A full spool has to hold what is on its way (two batches) and one whole call, or it gives up what was just accepted.
LONGEST_CALL, BATCH, CONNECTIONS, LONGEST_LINE = 70, 20, 2, 110
SMALL_SPOOL = (LONGEST_CALL + CONNECTIONS * BATCH) * LONGEST_LINE


class Proxy:
    """A FaultyProxy in a thread, whose fault is set from outside."""

    def __init__(self, target: str) -> None:
        self.fault = "none"
        self.poisonous = True
        self._ready, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(target)))
        self._thread.start()
        assert self._ready.wait(10)

    def _decide(self, body: bytes, _: int) -> web.StreamResponse | str | None:
        if self.fault == "413":
            return refusal(413, "too large") if len(body) > 2_000 else None
        if self.fault in ("500", "503"):
            return refusal(int(self.fault), "by the proxy")
        if self.poisonous and b"sensor.poison" in body:
            return refusal(500, "cannot digest this")
        return self.fault if self.fault in ("cut", "hang") else None

    async def _serve(self, target: str) -> None:
        async with FaultyProxy(target, self._decide) as proxy:
            self.url = proxy.url
            self._ready.set()
            await asyncio.to_thread(self._end.wait)

    def close(self) -> None:
        self._end.set()
        self._thread.join(20)


@dataclass
class Call:
    """Events of one `write_many`, by their numbers; how many the spool's policy dropped of them, and whether the
    process was killed before the call returned."""

    numbers: list[int]
    dropped: int = 0
    killed: bool = False


@dataclass
class Model:
    kinds: dict[int, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    dropped: int = 0
    restarts: int = 0
    crashes: int = 0

    def make(self, kinds: Iterable[str]) -> Call:
        first = len(self.kinds)
        self.kinds.update(enumerate(kinds, first))
        self.calls.append(Call(list(range(first, len(self.kinds)))))
        return self.calls[-1]

    def of(self, *kinds: str) -> set[int]:
        return {number for number, kind in self.kinds.items() if kind in kinds}

    def check(self, policy: str, stored: set[int], dead: dict[int, int]) -> None:
        """`dead` are the dead letters' statuses by the events' numbers."""
        resolved = stored | dead.keys()
        assert not resolved & self.of("invalid")
        assert not stored & self.of("conflict")
        # What is buried for a 500 may be good: the server was ill for it, time and again, while it took others. It may
        # even be stored, where the connection was cut before the server could say so.
        assert {number for number, status in dead.items() if status != 500} <= self.of("conflict")
        missing = 0
        for call in self.calls:
            accepted = [number for number in call.numbers if self.kinds[number] != "invalid"]
            there = [number in resolved for number in accepted]
            if call.killed:
                assert there == sorted(there, reverse=True), "chunks of one call are accepted in their order"
                continue
            missing += there.count(False)
            if policy == "drop_newest":
                assert there.count(False) == call.dropped
        # The oldest that are dropped may be of batches that were on their way when an earlier process ended, and so be
        # stored all the same.
        on_their_way = self.restarts * CONNECTIONS * BATCH if policy == "drop_oldest" else 0
        assert missing <= self.dropped <= missing + on_their_way
        if policy == "drop_oldest" and self.calls:
            assert {number for number in self.calls[-1].numbers if self.kinds[number] != "invalid"} <= resolved


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
        self.policy, self.model, self.server_crashed = policy, Model(), 0
        self.token = self.folder / f"token-{self.examples}"
        self.token.write_text(self.home.server.token)
        self.spool = self.folder / f"spool-{self.examples}.sqlite"
        self.proxy.fault, self.proxy.poisonous = "none", True
        self.start()

    # the writer's process -------------------------------------------------------------------------------

    def start(self) -> None:
        arguments: dict[str, Any] = {
            "url": self.proxy.url,
            "token_file": str(self.token),
            "org": self.home.server.org,
            "bucket": self.home.bucket,
            "spool_path": str(self.spool),
            "batch_size": BATCH,
            "connections": CONNECTIONS,
            "batch_timeout": 0.05,
            "write_timeout": 0.5,
            "retry_first": 0.01,
            "retry_longest": 0.03,
            "close_timeout": 0.1,
            "when_full": self.policy,
            "spool_limit_bytes": 1_000_000 if self.policy == "block" else SMALL_SPOOL,
        }
        self.pipe, theirs = PROCESSES.Pipe()
        self.process = PROCESSES.Process(target=machine_process.main, args=(theirs, self.base, arguments))
        self.process.start()
        theirs.close()
        self.dropped_before = 0
        self.model.restarts += 1
        self.hear()

    def hear(self) -> dict[str, Any]:
        assert self.pipe.poll(150), "the writer does not answer"
        answer: dict[str, Any] = self.pipe.recv()
        assert answer["accepted"] == answer["known"], answer
        self.dropped_now = answer["dropped"] - self.dropped_before
        self.dropped_before, self.rejected = answer["dropped"], answer["rejected"]
        self.model.dropped += self.dropped_now
        return answer

    def ask(self, **command: Any) -> dict[str, Any]:
        self.pipe.send(command)
        return self.hear()

    def died(self) -> None:
        self.process.join(30)
        self.model.crashes += 1
        assert self.process.exitcode == -9
        self.pipe.close()

    def close(self) -> None:
        self.pipe.close()
        self.process.join(30)
        assert self.process.exitcode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.join(30)

    # what can happen ------------------------------------------------------------------------------------

    def written(self, kinds: list[str]) -> None:
        call = self.model.make(kinds)
        before = self.rejected
        self.ask(write=[(number, self.model.kinds[number]) for number in call.numbers])
        call.dropped = self.dropped_now
        assert self.rejected - before == kinds.count("invalid")

    @rule(count=st.integers(1, LONGEST_CALL))
    def write(self, count: int) -> None:
        self.written(["good"] * count)

    @rule(kinds=st.lists(st.sampled_from(["good", "good", "conflict", "invalid"]), min_size=1, max_size=12))
    def write_also_bad_ones(self, kinds: list[str]) -> None:
        self.written(kinds)

    @rule(before=st.integers(0, 9))
    def write_poison(self, before: int) -> None:
        self.written(["good"] * before + ["poison"] + ["good"] * (9 - before))

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
        self.ask(flush=seconds)

    @rule()
    def writer_crashes(self) -> None:
        self.pipe.send({"die": True})
        self.died()
        self.start()

    # Drops that a killed process did not tell of cannot be counted.
    @precondition(lambda self: self.policy == "block")
    @rule(count=st.integers(1, 300), after=st.sampled_from([0.0, 0.002, 0.01]))
    def writer_crashes_while_it_writes(self, count: int, after: float) -> None:
        call = self.model.make(["good"] * count)
        call.killed = True
        self.pipe.send({"write": [(number, "good") for number in call.numbers]})
        time.sleep(after)
        self.process.kill()
        self.died()
        self.start()

    @rule()
    def writer_is_closed_and_opened(self) -> None:
        self.close()
        self.start()

    @rule(mended=st.booleans())
    def dead_letters_are_replayed(self, mended: bool) -> None:
        self.proxy.poisonous = not mended
        self.close()
        spool = Spool(self.spool)
        spool.open()
        try:
            spool.replay([letter.id for letter in spool.dead_letters(most=10_000)])
        finally:
            spool.close()
        self.start()

    # A second each: two of an example's steps.
    @precondition(lambda self: self.server_crashed < 2)
    @rule()
    def server_crashes(self) -> None:
        self.server_crashed += 1
        self.home.server.kill()
        self.home.server.start()

    # what is true in the end ----------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "process"):
            return
        try:
            self.proxy.fault = "none"
            self.token.write_text(self.home.server.token)
            self.written(["good"])  # a poisoned line that is alone waits for another one that gets through
            answer = self.ask(flush=60)
            assert (answer["pending"], answer["health"]) == (0, "healthy")
            self.close()
        finally:
            self.kill()
        stored = [int(value.removeprefix("s")) for value in self.home.values()]
        assert len(stored) == len(set(stored))
        spool = Spool.look(self.spool)
        letters = spool.dead_letters(most=10_000)
        refused = len(spool.refused(most=10_000))
        assert spool.waiting().lines == 0
        spool.close()
        dead = {int(letter.line.split(b'state_value="s')[1][:5]): letter.status for letter in letters}
        assert len(dead) == len(letters)
        self.model.check(self.policy, set(stored), dead)
        # They are kept with the next commit: a crash may come before it.
        bad = len(self.model.of("invalid"))
        assert refused == bad or (self.model.crashes and refused < bad)


def test_whatever_happens_nothing_accepted_is_lost(private_home: Home, tmp_path: Path) -> None:
    PROCESSES.set_forkserver_preload(["tests.writer.machine_process"])
    proxy = Proxy(private_home.server.url)
    try:
        machine = type("Machine", (Writing,), {"home": private_home, "proxy": proxy, "folder": tmp_path})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=16,
                stateful_step_count=40,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        proxy.close()

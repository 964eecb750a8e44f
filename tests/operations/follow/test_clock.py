"""A clock that is set, forward and back, while `follow` listens and while it is away.

The clock of this machine cannot be set for a test: its moments are given, and what stands in for Home Assistant answers
from a history with such times.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from operations.follow import follower as following
from operations.follow.away import iso
from operations.follow.clock import SKEW, SLACK, UNKNOWN_SLACK, Moment, gap, present
from operations.follow.follower import Follower
from operations.follow.settings import FollowSettings
from operations.imports.reading import SECOND
from operations.influxd import LocalInfluxd
from tests.operations.imports.conftest import ZONE, NewHome
from writer import BatchWriter, WriterSettings

TRUE = 1_795_496_400  # seconds since 1970: what the clock should say at the beginning
HOUR = 3600
METER = {"state_class": "total_increasing", "device_class": "energy", "unit_of_measurement": "kWh"}


class Recorded:
    """A Home Assistant that answers from a list of states: (second by its clock, text of the meter)."""

    waiting = 0
    version = "test"

    def __init__(self, states: list[tuple[float, str]]) -> None:
        self.states = states

    async def ask(self, kind: str, **fields: Any) -> Any:
        assert kind == "history/history_during_period"
        found = [
            {"s": text, "a": METER, "lu": at}
            for at, text in self.states
            if iso(int(at * SECOND)) >= fields["start_time"] and iso(int(at * SECOND)) < fields["end_time"]
        ]
        return {"sensor.meter": found} if found else {}


class Clock:
    """This machine's clock: `ahead` seconds of the true time."""

    def __init__(self) -> None:
        self.true, self.ahead, self.boot = float(TRUE), 0.0, "one"

    def __call__(self) -> Moment:
        return Moment(int((self.true + self.ahead) * SECOND), self.boot, int((self.true - TRUE + 100) * SECOND))

    @property
    def wall(self) -> float:
        return self.true + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(following, "present", made)
    return made


@pytest.fixture
def home(influxd: LocalInfluxd, tmp_path: Path, unique: str) -> NewHome:
    made = NewHome(influxd, f"c{unique}_", tmp_path)
    made.make_buckets(None, None, None)
    return made


@asynccontextmanager
async def follower_of(home: NewHome) -> AsyncIterator[Follower]:
    server = home.server
    settings = FollowSettings(url="http://a:8123", token="t", zone=ZONE, position=home.folder / "p.json", settle=0.0)
    writing = WriterSettings(
        url=server.url,
        token=server.token,
        org=server.org,
        bucket=home.tiers.raw.bucket,
        spool_path=home.folder / "spool.sqlite",
        batch_timeout=0.1,
    )
    async with BatchWriter(writing) as writer:
        made = Follower(settings, writer)
        made.restore()
        yield made
        made.keep()
        assert (await writer.flush(timeout=30)).pending == 0


async def live(made: Follower, at: float, text: str) -> None:
    state = {
        "entity_id": "sensor.meter",
        "state": text,
        "attributes": METER,
        "last_updated": iso(int(at * SECOND)),
    }
    await made._live([{"event_type": "state_changed", "data": {"new_state": state}}], 0)


def readings(home: NewHome) -> dict[str, tuple[float, float | None]]:
    """State -> (second, energy); every state once."""
    found = {}
    for (_, at), (point,) in home.stored().items():
        assert point["state_value"] not in found
        found[point["state_value"]] = (at / 1e6, point.get("energy_consumption"))
    return found


@pytest.mark.parametrize(
    ("ahead", "away", "reboot"),
    [(2 * HOUR, 600, False), (600, 2 * HOUR, False), (2 * HOUR, 600, True), (-2 * HOUR, 600, False), (0, 600, False)],
    ids=["far back", "back by less than it was away", "back and a new boot", "forward", "not at all"],
)
async def test_a_clock_that_is_set_while_it_is_away(
    home: NewHome, clock: Clock, ahead: float, away: float, reboot: bool
) -> None:
    """The clock is `ahead` seconds wrong at first, and right from the middle of the absence on."""
    clock.ahead = ahead
    async with follower_of(home) as made:
        for text in ("100", "101"):
            clock.true += 30
            await live(made, clock.wall, text)
    states = [(clock.wall - 30, "100"), (clock.wall, "101")]
    clock.true += away / 4
    states.append((clock.wall, "102"))  # before it is set
    clock.true += away / 4
    clock.ahead = 0
    for text in ("103", "104"):
        clock.true += away / 5
        states.append((clock.wall, text))
    clock.true += away / 10
    if reboot:
        clock.boot = "two"
    async with follower_of(home) as made:
        await made._fill(Recorded(states), [])  # type: ignore[arg-type]
        clock.true += 10
        await live(made, clock.wall, "105")
        states.append((clock.wall, "105"))
    found = await asyncio.to_thread(readings, home)
    assert {text: at for text, (at, _) in found.items()} == {text: pytest.approx(at, abs=1e-5) for at, text in states}
    # What was known keeps its energy, and none is lost or counted twice.
    assert found["101"][1] == 1.0
    assert sum(energy or 0.0 for _, energy in found.values()) == pytest.approx(5.0)


async def test_a_clock_that_is_set_back_while_it_listens(home: NewHome, clock: Clock) -> None:
    """What happens later, while it is away, has times that the entity had already before the clock was set."""
    clock.ahead = 600
    async with follower_of(home) as made:
        await live(made, clock.wall, "100")
        clock.ahead = 0
        clock.true += 10
        await live(made, clock.wall, "101")
        assert made._history.last_time_ns("sensor.meter") == int(clock.wall * SECOND)
        states = []
        for text in ("102", "103"):
            clock.true += 200
            states.append((clock.wall, text))
        clock.true += 600
        await made._fill(Recorded(states), [])  # type: ignore[arg-type]
    found = await asyncio.to_thread(readings, home)
    assert sorted(found) == ["100", "101", "102", "103"]
    assert sum(energy or 0.0 for _, energy in found.values()) == pytest.approx(3.0)


def test_the_gap_by_the_clocks() -> None:
    last = TRUE * SECOND
    seen = Moment(last, "one", 0)

    def after(wall: float, running: float, boot: str = "one") -> Moment:
        return Moment(last + int(wall * SECOND), boot, int(running * SECOND))

    usual = gap(last, seen, after(50, 50))
    assert (usual.spans, usual.set_back) == (((last - SECOND, last + 50 * SECOND),), False)
    assert not gap(last, seen, after(9_000, 50)).set_back
    # Another machine's clock may be a little ahead.
    assert not gap(last + SKEW, seen, after(0, 0)).set_back
    back = gap(last, seen, after(30, 90))
    assert (back.spans, back.set_back) == (((last - 60 * SECOND - SLACK, last + 30 * SECOND),), True)
    far = gap(last, seen, after(-7_200, 600, "two"))
    assert far.set_back
    assert far.spans[0] == (last - SECOND, last + UNKNOWN_SLACK)
    assert far.spans[1] == (last - 7_200 * SECOND - UNKNOWN_SLACK, last - 7_200 * SECOND)
    assert present().boot == present().boot

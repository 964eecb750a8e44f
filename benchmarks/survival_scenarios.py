"""What goes wrong in the survival benchmark, one scenario after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NEVER = -1


@dataclass(frozen=True)
class Scenario:
    """`steps` are (second, what happens), in seconds from the beginning of a stream of `seconds`; below 0 is before."""

    name: str
    what: str
    seconds: float
    steps: tuple[tuple[float, str], ...] = ()
    rate: int = 200
    conflict: int = NEVER
    malformed: int = NEVER
    ending: str = "close"
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return round(self.seconds * self.rate)


SCENARIOS = (
    Scenario("calm", "nothing goes wrong", 5),
    Scenario(
        "server_killed",
        "SIGKILL of the server for 5 s",
        15,
        ((4, "kill server"), (9, "start server")),
    ),
    Scenario(
        "server_hangs",
        "SIGSTOP of the server for 30 s",
        15,
        ((4, "pause server"), (34, "resume server")),
    ),
    Scenario(
        "long_outage",
        "server away for 210 s, longer than influxdb-client retries",
        10,
        ((4, "kill server"), (214, "start server")),
    ),
    Scenario(
        "full_buffer",
        "server away for 70 s while 16,000 events come: more than Telegraf's buffer or a spool of 2 MB can hold",
        40,
        ((2, "kill server"), (72, "start server")),
        rate=400,
        more={"spool_limit_bytes": 2_000_000},
    ),
    Scenario(
        "writer_killed",
        "SIGKILL of the writer, four times, and started again",
        16,
        tuple(
            (second + after, what)
            for second in (2.3, 5.5, 8.7, 11.9)
            for after, what in ((0.0, "kill writers"), (0.5, "start writers"))
        ),
    ),
    Scenario(
        "writer_killed_in_outage",
        "SIGKILL of the writer while the server is away, then both come back",
        14,
        ((2, "kill server"), (6, "kill writers"), (7, "start writers"), (10, "start server")),
    ),
    Scenario("no_close", "the program ends without closing, and is started once more", 4.5, ending="exit"),
    Scenario("one_conflict", "one field of another type among 2,000 events", 10, conflict=1010),
    Scenario("one_malformed", "one integer beyond 64 bits among 2,000 events", 10, malformed=1010),
    Scenario(
        "token_refused",
        "the token is switched off for 8 s (403)",
        15,
        ((4, "disable token"), (12, "enable token")),
    ),
    Scenario(
        "no_bucket",
        "the bucket is made only 8 s after the stream began (404)",
        15,
        ((-1, "delete buckets"), (8, "make buckets")),
    ),
)

"""`python -m tools.test_servers`: what only the tests need besides influxd and pulumi: InfluxDB 1.x, Home Assistant."""

from __future__ import annotations

import fcntl
import sys

from tools import home_assistant, influxdb1
from tools.find import TOOLS


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "test-servers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        problems = [
            problem
            for ensure in (influxdb1.ensure_server, influxdb1.ensure_inspect, home_assistant.ensure)
            if (problem := ensure(say))
        ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

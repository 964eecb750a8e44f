"""`python -m tools.test_servers`: what only the tests need besides influxd and pulumi.

InfluxDB 1.x with influx_inspect, MariaDB, PostgreSQL, and a Home Assistant; all in `.tools`.
"""

from __future__ import annotations

import fcntl
import sys

from tools import databases, home_assistant, influxdb1
from tools.find import TOOLS

ENSURE = (
    influxdb1.ensure_server,
    influxdb1.ensure_inspect,
    databases.ensure_mariadb,
    databases.ensure_postgresql,
    home_assistant.ensure,
)


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "test-servers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        problems = [problem for ensure in ENSURE if (problem := ensure(say))]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.operations.check_demo` after `make demo`: every hourly and daily row of the whole demo, field by
field, against plain Python (tests/reference.py, on all five months). Exit code 1 at a difference."""

from __future__ import annotations

import asyncio
import sys

from flux_tasks import SummaryServer
from operations import paths
from operations.demo import dataset
from operations.demo.replay import span
from operations.demo_command import fixed_shift
from operations.server_commands import local_server
from tests.operations.test_demo import stored
from tests.reference import Home, differences


async def check() -> int:
    folder = paths.local("demo")
    data = dataset.rows(dataset.fetch(folder))
    events = list(dataset.events(data, fixed_shift(folder, dataset.row_time(data[-1]))))
    start, stop = span(events)
    local = local_server()
    home = Home(events)
    wrong = 0
    async with SummaryServer(url=local.url, token=local.token, org="home_assistant") as server:
        for tier, wanted in (("hourly", home.hourly()), ("daily", home.daily())):
            found = await stored(server, tier, start, stop)
            bad = differences(wanted, found)
            print(f"{tier}: {len(wanted)} rows expected, {len(found)} stored, {len(bad)} values different")
            print("\n".join(bad[:10]), end="")
            wrong += len(bad)
    return wrong


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(check()) else 0)

"""`python -m tests.operations.check_demo` after `make demo`: every hourly and daily row of the whole demo, field by
field, against plain Python (the same computation as in test_demo, on all five months). Exit code 1 at a difference."""

from __future__ import annotations

import asyncio
import math
import sys
from datetime import timedelta

from flux_tasks import SummaryServer
from operations import paths
from operations.demo import dataset
from operations.demo.replay import span
from operations.demo_command import fixed_shift
from operations.server_commands import local_server
from tests.operations.test_demo import stored, summed_up

WIDTHS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1)}


async def differences() -> int:
    folder = paths.local("demo")
    data = dataset.rows(dataset.fetch(folder))
    events = list(dataset.events(data, fixed_shift(folder, dataset.row_time(data[-1]))))
    start, stop = span(events)
    local = local_server()
    wrong = 0
    async with SummaryServer(url=local.url, token=local.token, org="home_assistant") as server:
        for tier, width in WIDTHS.items():
            wanted = summed_up(events, int(width.total_seconds()))
            found = await stored(server, tier, start, stop)
            bad = wanted.keys() ^ found.keys()
            for key in wanted.keys() & found.keys():
                names = {name for name in wanted[key].keys() | found[key].keys() if name != "value_count"}
                same = all(
                    name in wanted[key]
                    and name in found[key]
                    and math.isclose(wanted[key][name], found[key][name], rel_tol=1e-9, abs_tol=1e-12)
                    for name in names
                )
                if not same or wanted[key]["value_count"] != found[key].get("value_count", 0):
                    bad.add(key)
            print(f"{tier}: {len(wanted)} rows expected, {len(found)} stored, {len(bad)} different")
            wrong += len(bad)
    return wrong


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(differences()) else 0)

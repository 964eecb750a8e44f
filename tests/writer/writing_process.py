"""A process to be killed: writes numbered events for ever and prints each number once it is accepted."""

from __future__ import annotations

import asyncio
import json
import sys

from writer import BatchWriter, Event, WriterSettings


async def main() -> None:
    arguments = json.loads(sys.argv[1])
    number, base = arguments.pop("first"), arguments.pop("base")
    ending = arguments.pop("ending", "")
    writer = BatchWriter(WriterSettings(**arguments))
    await writer.open()
    while True:
        events = [
            Event(time_ns=base + n * 1000, entity_id=f"sensor.e{n % 7}", state_value=f"s{n:07d}")
            for n in range(number, number + 50)
        ]
        await asyncio.gather(*(writer.write(event) for event in events))
        number += 50
        print(number, flush=True)
        if ending == "no close":
            return
        if ending == "exit":
            sys.exit(0)


asyncio.run(main())

"""What Home Assistant's own InfluxDB integration makes of states: its function is called in the Home Assistant of
`.tools`. Run there as a program: configurations and states come as JSON on standard input, points go out as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

# The client libraries that it imports, not needed here: they only send.
CLIENTS = ("influxdb", "influxdb_client", "influxdb_client.client", "influxdb_client.client.write_api")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def points(python: Path, configurations: Sequence[dict[str, Any]], states: Sequence[Any]) -> list[list[Any]]:
    """For each configuration the points of these states: [measurement, tags, fields, time in nanoseconds]."""
    told = {
        "configurations": configurations,
        "states": [[one.entity_id, one.state, one.attributes, one.time_ns] for one in states],
    }
    done = subprocess.run([python, __file__], input=json.dumps(told), capture_output=True, text=True, check=True)
    found: list[list[Any]] = json.loads(done.stdout)
    return found


def _stand_in(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__getattr__ = lambda wanted: type(wanted, (Exception,), {})  # type: ignore[method-assign]
    return module


def _main() -> None:
    for name in (*CLIENTS, "influxdb_client.rest"):
        sys.modules[name] = _stand_in(name)
    from homeassistant.components import influxdb  # type: ignore[import-not-found]
    from homeassistant.core import Event, State  # type: ignore[import-not-found]

    told = json.load(sys.stdin)
    found = []
    for configuration in told["configurations"]:
        make = influxdb._generate_event_to_json(influxdb._INFLUX_BASE_SCHEMA(configuration))
        made = []
        for entity_id, state, attributes, time_ns in told["states"]:
            fired = EPOCH + timedelta(microseconds=time_ns // 1000)
            point = make(Event("state_changed", {"new_state": State(entity_id, state, attributes)}, time_fired=fired))
            if point is not None:
                made.append([point["measurement"], point["tags"], point["fields"], time_ns])
        found.append(made)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _main()

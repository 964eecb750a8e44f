"""Which home a query asks: the environment's, else the one of the local stack."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from operations import paths
from operations.errors import UserError
from operations.influxd import write_private
from reader import ReaderSettings

GIVEN = ("INFLUXDB_URL", "INFLUXDB_TOKEN", "INFLUXDB_TOKEN_FILE", "INFLUXDB_ORG")
TOKEN = "reader_token"


def settings(home: str = "") -> ReaderSettings:
    """From the INFLUXDB_* variables where any is set, else from the outputs of the local stack `dev`: so the demo's
    home answers without exporting anything. Raises UserError, ReaderError, InvalidQuery."""
    if any(os.environ.get(name, "").strip() for name in GIVEN):
        if home:
            raise UserError(
                "--home chooses among the homes of the local stack, but INFLUXDB_* are set: "
                "'hearthflux env --reader --home ...' sets them for a home.",
                exit_code=2,
            )
        return ReaderSettings.from_env()
    from operations.server_commands import local_server
    from operations.stack_commands import of_home, variables

    if not os.environ.get("PULUMI_BACKEND_URL") and not paths.local("pulumi").is_dir():
        raise UserError(
            "There is no home to ask: set INFLUXDB_URL, INFLUXDB_TOKEN and INFLUXDB_ORG (or "
            "'eval \"$(hearthflux env --reader)\"'), or make one with 'make demo'."
        )
    if local_server().pid is None:
        raise UserError("The local InfluxDB does not run: 'hearthflux server start' starts it.")
    found = variables(of_home(local_outputs(), home), TOKEN)
    # What the user says about his home stays: only where the server is comes from the stack.
    chosen = {name: value for name, value in os.environ.items() if name.startswith("HOME_") and value.strip()}
    timeout = os.environ.get("INFLUXDB_READ_TIMEOUT", "")
    return ReaderSettings.from_env({**found, **chosen, "INFLUXDB_READ_TIMEOUT": timeout})


def local_outputs() -> dict[str, Any]:
    """The outputs of the local stack that a reader needs.

    Pulumi takes seconds to say them, so they are kept (readable by the user only) until the stack's state changes.
    """
    from operations.pulumi_runner import Stack
    from operations.stack_commands import LOCAL_STACK

    kept = paths.local("query.json")
    stamp = _state_stamp(LOCAL_STACK)
    try:
        last = json.loads(kept.read_text())
        if stamp and last["stamp"] == stamp:
            return dict(last["outputs"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    outputs = _for_reading(Stack(LOCAL_STACK).outputs())
    if stamp:
        write_private(kept, json.dumps({"stamp": stamp, "outputs": outputs}) + "\n")
    return outputs


def _for_reading(outputs: dict[str, Any]) -> dict[str, Any]:
    """Without the tokens that a reader does not need."""
    return {
        name: {home: _for_reading(found) for home, found in value.items()} if name == "homes" else value
        for name, value in outputs.items()
        if not name.endswith("_token") or name == TOKEN
    }


def _state_stamp(stack: str) -> str:
    """What changes whenever the stack's state does; empty where that is not a file of ours."""
    if os.environ.get("PULUMI_BACKEND_URL"):
        return ""
    states = sorted(Path(paths.local("pulumi")).glob(f".pulumi/stacks/*/{stack}.json"))
    return " ".join(f"{state.name}:{state.stat().st_mtime_ns}:{state.stat().st_size}" for state in states)

"""InfluxDB 1.x for the tests of `hearthflux import influxdb1`: the server and influx_inspect, in `.tools/influxdb1`.

The server is Debian's; its program is called `influxd` too and must not come onto PATH. Debian has no influx_inspect:
it is built.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tools.debian import unpack
from tools.find import ROOT, TOOLS, version_of

FOLDER = TOOLS / "influxdb1"
SERVER = FOLDER / "package" / "usr" / "bin" / "influxd"
INSPECT = FOLDER / "influx_inspect"
MODULE = ROOT / "tools" / "influx_inspect"
PACKAGE = "github.com/influxdata/influxdb/cmd/influx_inspect"


def _is_version_1(program: Path) -> bool:
    version = version_of(program, ("version",))
    return version is not None and (1, 0, 0) <= version < (2, 0, 0)


def ensure_server(say: Callable[[str], None]) -> str | None:
    """None when `SERVER` is there, else the sentence that says how to get it."""
    if _is_version_1(SERVER):
        return None
    problem = unpack(["influxdb"], FOLDER / "package", say)
    if problem is None and not _is_version_1(SERVER):
        problem = f"{SERVER} does not start: run '{SERVER} version' to see why"
    return problem


def ensure_inspect(say: Callable[[str], None]) -> str | None:
    """None when `INSPECT` is there, else the sentence that says how to get it."""
    if INSPECT.is_file():
        return None
    if shutil.which("go") is None:
        return f"influx_inspect is needed for the tests: install Go, or put InfluxDB 1.8's influx_inspect at {INSPECT}"
    say("building influx_inspect of InfluxDB 1.8 for the tests")
    FOLDER.mkdir(parents=True, exist_ok=True)
    partial = INSPECT.with_suffix(".partial")
    built = subprocess.run(
        ["go", "build", "-mod=readonly", "-o", partial, PACKAGE],
        cwd=MODULE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if built.returncode:
        return f"influx_inspect could not be built: {built.stderr.strip()[-400:]}"
    partial.replace(INSPECT)
    return None

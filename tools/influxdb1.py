"""InfluxDB 1.x for the tests of `hearthflux import influxdb1`: the server and influx_inspect, in `.tools/influxdb1`.

The server is Debian's package, unpacked beside the other tools, so that nothing of the machine changes and no root is
needed; its program is called `influxd` too and must not come onto PATH. Debian has no influx_inspect: it is built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tools.find import ROOT, TOOLS, version_of

FOLDER = TOOLS / "influxdb1"
SERVER = FOLDER / "influxd"
INSPECT = FOLDER / "influx_inspect"
MODULE = ROOT / "tools" / "influx_inspect"
PACKAGE = "github.com/influxdata/influxdb/cmd/influx_inspect"
SYSTEM = Path("/usr/bin/influxd")


def _is_version_1(program: Path) -> bool:
    version = version_of(program, ("version",))
    return version is not None and (1, 0, 0) <= version < (2, 0, 0)


def _place(source: Path, target: Path) -> None:
    partial = target.with_suffix(".partial")
    shutil.copy2(source, partial)
    partial.replace(target)


def ensure_server(say: Callable[[str], None]) -> str | None:
    """None when `SERVER` is there, else the sentence that says how to get it."""
    if _is_version_1(SERVER):
        return None
    FOLDER.mkdir(parents=True, exist_ok=True)
    if _is_version_1(SYSTEM):
        _place(SYSTEM, SERVER)
        return None
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return f"InfluxDB 1.x is needed for the tests: put its influxd at {SERVER} (Debian's package influxdb has it)."
    say("taking InfluxDB 1.x from Debian's package influxdb")
    work = FOLDER / "package"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    quiet = {"cwd": work, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    got = subprocess.run(["apt-get", "download", "influxdb"], **quiet)  # type: ignore[call-overload]
    if got.returncode and hasattr(os, "geteuid") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update"], **quiet)  # type: ignore[call-overload]
        got = subprocess.run(["apt-get", "download", "influxdb"], **quiet)  # type: ignore[call-overload]
    packages = list(work.glob("influxdb_*.deb"))
    if got.returncode or not packages:
        return (
            f"Debian's package influxdb cannot be downloaded ({got.stderr.strip()[-200:]}): run 'apt-get update' once."
        )
    subprocess.run(["dpkg-deb", "-x", packages[0], work / "root"], check=True)
    _place(work / "root" / "usr" / "bin" / "influxd", SERVER)
    shutil.rmtree(work)
    return None if _is_version_1(SERVER) else f"{SERVER} does not start: run '{SERVER} version' to see why."


def ensure_inspect(say: Callable[[str], None]) -> str | None:
    """None when `INSPECT` is there, else the sentence that says how to get it."""
    if INSPECT.is_file():
        return None
    if shutil.which("go") is None:
        return f"influx_inspect is needed for the tests: install Go, or put InfluxDB 1.8's influx_inspect at {INSPECT}."
    say("building influx_inspect of InfluxDB 1.8")
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

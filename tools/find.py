"""Where the programs are: first on PATH, if the version fits, then in `.tools/bin`."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.versions import INFLUXD, PULUMI, Requirement, Version, parse_version

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(os.environ.get("HEARTHFLUX_TOOLS") or ROOT / ".tools")
BIN = TOOLS / "bin"
DOCKER_IMAGE = "influxdb:2.7"
DOCKER_MARKER = TOOLS / "influxd.docker"


class ToolMissing(Exception):
    """A program is neither on PATH nor in `.tools/bin`; the message says what to do."""


@dataclass(frozen=True)
class Found:
    path: Path
    version: Version
    where: str  # "PATH" or ".tools"


def version_of(program: Path, arguments: tuple[str, ...]) -> Version | None:
    try:
        return _answered_version(program, arguments, program.stat().st_mtime_ns)
    except (OSError, subprocess.TimeoutExpired):
        return None


@functools.cache
def _answered_version(program: Path, arguments: tuple[str, ...], changed: int) -> Version | None:
    """Asked once of each program: pulumi takes a fifth of a second to say it."""
    answer = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"},
        stdin=subprocess.DEVNULL,
    )
    return parse_version(answer.stdout) if answer.returncode == 0 else None


def look(requirement: Requirement) -> Found | None:
    """The program that will be used, or None."""
    on_path = shutil.which(requirement.program)
    for path, where in ((on_path, "PATH"), (BIN / requirement.program, ".tools")):
        if path is None or not Path(path).is_file():
            continue
        version = version_of(Path(path), requirement.arguments)
        if version is not None and requirement.accepts(version):
            # The Makefile puts .tools/bin on PATH too.
            own = Path(path).resolve().parent == BIN.resolve()
            return Found(Path(path), version, ".tools" if own else where)
    return None


def rejected_on_path(requirement: Requirement) -> str | None:
    """Why the program on PATH is not used, or None where there is none or it fits."""
    on_path = shutil.which(requirement.program)
    if on_path is None:
        return None
    version = version_of(Path(on_path), requirement.arguments)
    if requirement.accepts(version):
        return None
    shown = "no version" if version is None else ".".join(map(str, version))
    return f"{requirement.program} on PATH says {shown}; wanted: {requirement.wanted_text}"


def influxd() -> Path:
    """The server's executable. Raises ToolMissing."""
    found = look(INFLUXD)
    if found is None:
        raise ToolMissing(
            f"influxd {INFLUXD.wanted_text} is not on PATH and not in {BIN}: run 'make tools', "
            "or install InfluxDB 2.7 and put influxd on PATH."
        )
    return found.path


def pulumi() -> Path:
    """The pulumi command, with its Python language host beside it or on PATH. Raises ToolMissing."""
    found = look(PULUMI)
    if found is None:
        raise ToolMissing(
            f"pulumi {PULUMI.wanted_text} is not on PATH and not in {BIN}: run 'make tools', "
            "or install Pulumi and put it on PATH."
        )
    return found.path


def uses_docker_image() -> bool:
    """True where `make tools` found no way to an influxd of its own and took Docker's image."""
    return DOCKER_MARKER.is_file() and look(INFLUXD) is None

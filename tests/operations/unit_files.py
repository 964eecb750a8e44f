"""What systemd says of the settings that our unit files use: by its manual, and by itself where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

YES_OR_NO = r"yes|no|true|false"
SECONDS = r"\d+"
NAME = r"[a-z_][a-z0-9_-]*"
PATH = r"/\S+"
UNITS_NAMED = r"[\w-]+\.(target|service)( [\w-]+\.(target|service))*"
SETTINGS = {
    "Unit": {"Description": r"\S.*", "Wants": UNITS_NAMED, "After": UNITS_NAMED},
    "Service": {
        "Type": r"simple|exec|forking|oneshot|dbus|notify|notify-reload|idle",
        "User": NAME,
        "Group": NAME,
        "WorkingDirectory": PATH,
        "StateDirectory": NAME,
        "EnvironmentFile": PATH,
        "Environment": r"[A-Z_]+=\S+( [A-Z_]+=\S+)*",
        "ExecStart": r"/\S+( \S+)*",
        "Nice": r"-?1?\d",
        "Restart": r"no|on-success|on-failure|on-abnormal|on-watchdog|on-abort|always",
        "RestartSec": SECONDS,
        "TimeoutStopSec": SECONDS,
        "NoNewPrivileges": YES_OR_NO,
        "ProtectSystem": r"yes|no|full|strict",
        "ProtectHome": r"yes|no|read-only|tmpfs",
        "PrivateTmp": YES_OR_NO,
        "PrivateDevices": YES_OR_NO,
        "ProtectKernelTunables": YES_OR_NO,
        "ProtectControlGroups": YES_OR_NO,
        "RestrictAddressFamilies": r"AF_[A-Z0-9]+( AF_[A-Z0-9]+)*",
        "MemoryMax": r"\d+[KMG]?",
    },
    "Timer": {
        "OnCalendar": r"hourly|daily|\*-\*-\* \d\d:\d\d:\d\d( UTC)?",
        "RandomizedDelaySec": r"\d+(s|min|h)?",
        "Persistent": YES_OR_NO,
    },
    "Install": {"WantedBy": UNITS_NAMED},
}


def settings(unit: Path) -> Iterator[tuple[str, str, str]]:
    """(section, name, value) of each line that is one."""
    section = ""
    for line in unit.read_text().splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield section, name, value


def strange_settings(unit: Path) -> list[str]:
    """The lines that are no settings of systemd, not where they belong, or with values that it does not take."""
    return [
        f"[{section}] {name}={value}"
        for section, name, value in settings(unit)
        if re.fullmatch(SETTINGS.get(section, {}).get(name, r"(?!)"), value) is None
    ]


def complaints_of_systemd(units: Iterable[Path], folder: Path) -> list[str]:
    """What `systemd-analyze verify` says of them, but for programs and users that an installation brings; nothing where
    it is not installed."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return []
    copies = []
    for unit in units:
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        copies.append(folder / unit.name)
        copies[-1].write_text(re.sub(r"^User=.*\n", "", text, flags=re.MULTILINE))
    told = subprocess.run([program, "verify", *map(str, copies)], capture_output=True, text=True)
    return [line for line in (told.stdout + told.stderr).splitlines() if any(one.stem in line for one in copies)]

"""The disk of the import's own folder is really full, a file system of some hundred kilobytes: a sentence, and the same
command goes on once there is room."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.operations.imports.conftest import NewHome
from tests.operations.imports.homes import DAY, SECOND, State, a_home, lines
from tests.operations.imports.influxdb1 import InfluxDB1
from tests.operations.imports.test_influxdb1 import database, expected
from tests.operations.imports.test_recorder import sqlite_file
from tools.find import ROOT

__all__ = ["database"]
NOW = time.time_ns() // SECOND * SECOND
SMALL_KB, ENOUGH_KB = 800, 200_000

# The command twice, each with the code that it ended with: on a disk that is small, and when it has grown.
MOUNTED = (
    f'mount -t tmpfs -o size={SMALL_KB}k small "$FOLDER" && {{ "$@"; echo "ended with $?"; '
    f'mount -o remount,size={ENOUGH_KB}k "$FOLDER" && "$@"; echo "ended with $?"; }}'
)
# Without mounts the kernel's limit on a file's size stands for a full disk (in blocks of 512 bytes).
LIMITED = f'(ulimit -f {SMALL_KB}; exec "$@"); echo "ended with $?"; "$@"; echo "ended with $?"'


def shells(folder: Path) -> list[str]:
    for unshare in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        tried = [*unshare, "mount", "-t", "tmpfs", "small", str(folder)]
        try:
            if subprocess.run(tried, capture_output=True, timeout=10).returncode == 0:
                return [*unshare, "sh", "-c", MOUNTED, "sh"]
        except OSError:
            break
    return ["sh", "-c", LIMITED, "sh"]


def import_twice(home: NewHome, *arguments: str) -> str:
    """What the import says on a disk that is full soon; then it has to succeed with more room."""
    folder = home.folder / "small"
    folder.mkdir()
    environment = {
        **os.environ,
        "INFLUXDB_URL": home.server.url,
        "INFLUXDB_TOKEN": home.server.token,
        "INFLUXDB_ORG": home.server.org,
        "HOME_TIME_ZONE": "Europe/Amsterdam",
        "HEARTHFLUX_LOCAL": str(folder),
        "FOLDER": str(folder),
        "COLUMNS": "400",
    }
    command = [
        str(ROOT / ".venv" / "bin" / "hearthflux"),
        "import",
        *arguments,
        "--home",
        home.prefix,
        "--no-summaries",
    ]
    done = subprocess.run(
        [*shells(folder), *command], env=environment, capture_output=True, text=True, timeout=110, cwd=home.folder
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("ended with")]
    assert codes == ["ended with 1", "ended with 0"], done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def states() -> list[State]:
    return a_home(NOW - DAY, NOW, step=40 * SECOND)


def test_a_full_disk_under_the_spool(new_home: NewHome, states: list[State]) -> None:
    new_home.make_buckets(None, None, None)
    path = sqlite_file(new_home.folder / "home-assistant_v2.db", 43, states)
    said = import_twice(new_home, "recorder", str(path))
    assert "full" in said
    assert (
        "run the same command again: it goes on here." in said or "run the same command again, it goes on here" in said
    )
    assert new_home.stored().keys() == expected(states).keys()


def test_a_full_disk_under_the_part_files(
    new_home: NewHome, influxdb1: InfluxDB1, database: str, states: list[State]
) -> None:
    new_home.make_buckets(None, None, None)
    # Long texts of one attribute that is kept: what the part files hold is larger than the disk.
    for number, one in enumerate(states):
        one.attributes["friendly_name"] = f"{one.attributes['friendly_name']} {number:06d}" + "x" * 200
    influxdb1.write(database, lines(states))
    export = influxdb1.export(database, new_home.folder / "export")
    said = import_twice(new_home, "influxdb1", "--file", str(export))
    assert "The disk of " in said
    assert "run the same command again, it goes on there" in said
    assert new_home.stored().keys() == expected(states).keys()

"""The disk of the new server is really full in the middle of an import: a sentence, and the same command goes on."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from operations.errors import UserError
from operations.imports.recorder import Recorder
from operations.server_program import Executable
from tests.conftest import MakeInfluxd
from tests.operations.imports.conftest import NewHome
from tests.operations.imports.homes import DAY, HOUR, SECOND, a_home
from tests.operations.imports.recorder_files import Statistic
from tests.operations.imports.test_influxdb1 import expected
from tests.operations.imports.test_recorder import sqlite_file

NOW = time.time_ns() // SECOND * SECOND
SMALL, LEFT = 24 * 1024 * 1024, 100_000
# Keeps a file system of its own mounted until its input ends.
MOUNTED = f'mount -t tmpfs -o size={SMALL} small "$0" && echo mounted && cat'
# The kernel's limit on a file's size, in blocks of 512 bytes, stands for a full disk where nothing can be mounted.
LIMITED = 'ulimit -S -f 300 && exec "$@"'


@dataclass
class Disk:
    """A small file system in a mount namespace of its own, which `holder` keeps; None where that is not permitted."""

    folder: Path
    enter: tuple[str, ...] = ()
    holder: subprocess.Popen[bytes] | None = None
    limited: bool = False

    def mount(self) -> None:
        ways = (((), ("--mount",)), (("--map-root-user",), ("--user", "--preserve-credentials", "--mount")))
        for more, namespaces in ways:
            command = ["unshare", "--mount", *more, "sh", "-c", MOUNTED, str(self.folder)]
            holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert holder.stdout is not None
            if holder.stdout.readline() == b"mounted\n":
                self.holder, self.enter = holder, ("nsenter", f"--target={holder.pid}", *namespaces)
                return
            holder.communicate()

    @property
    def _ballast(self) -> Path:
        assert self.holder is not None
        return Path(f"/proc/{self.holder.pid}/root{self.folder}/ballast")

    def fill(self) -> None:
        """Leave hardly any room. A limit holds for programs that are started from now on."""
        if self.holder is None:
            self.limited = True
            return
        with self._ballast.open("wb") as file:
            found = os.statvfs(file.fileno())
            file.write(bytes(found.f_bavail * found.f_frsize - LEFT))

    def make_room(self) -> None:
        self.limited = False
        if self.holder is not None:
            self._ballast.unlink()

    def end(self) -> None:
        if self.holder is not None:
            self.holder.communicate()


@dataclass(frozen=True, slots=True)
class OnDisk(Executable):
    """influxd whose data are on that disk."""

    disk: Disk

    def command(self, folder: Path, port: int, options: Mapping[str, str]) -> list[str]:
        limited = ("sh", "-c", LIMITED, "sh") if self.disk.limited else ()
        return [*self.disk.enter, *limited, *Executable.command(self, folder, port, options)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "influxd-0" / "data"
    folder.mkdir(parents=True)
    made = Disk(folder)
    made.mount()
    try:
        yield made
    finally:
        made.end()


def test_a_full_disk_of_the_server(disk: Disk, make_influxd: MakeInfluxd, tmp_path: Path) -> None:
    """InfluxDB 2.7 writes nothing more after that until it is started again."""
    server = make_influxd(program=OnDisk(disk)).start()
    home = NewHome(server, "", tmp_path / "home")
    home.folder.mkdir()
    home.make_buckets(None, None, None)
    states = a_home(NOW - 2 * DAY, NOW, step=60 * SECOND)
    begin = (NOW - 5 * DAY) // HOUR * HOUR
    statistics = [Statistic(begin + n * HOUR, "sensor.old", "°C", 1.0, 0.0, 2.0) for n in range(48)]
    path = sqlite_file(home.folder / "db", 43, states, statistics)
    earlier = NewHome(server, "", home.folder / "earlier")
    earlier.bring(lambda: Recorder(str(path)), stop_ns=NOW - 40 * HOUR, summaries=False)
    disk.fill()
    if disk.limited:
        server.restart()
    full = (
        r"has taken nothing for 1 s: .*(no space left|file too large).*Make room, restart InfluxDB .* it goes on here"
    )
    with pytest.raises(UserError, match=full):
        home.bring(lambda: Recorder(str(path)), patience=1.0, summaries=False)
    disk.make_room()
    server.restart()
    report = home.bring(lambda: Recorder(str(path)), summaries=False)
    assert report.finished
    assert report.read == len(states)
    assert report.written + report.already_there == len(states)
    stored, wanted = home.stored(), expected(states)
    assert stored.keys() == wanted.keys()
    assert all(points == [wanted[key]] for key, points in stored.items())
    assert len(home.stored("hourly", "hourly_statistics")) == len(statistics)

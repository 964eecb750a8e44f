"""A service by its unit file: under a systemd that is process 1 of namespaces of its own, with another /etc, /opt, /run
and /var/lib and this machine's network; where that is not permitted, its command line started as the unit says."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Protocol

from tools.find import ROOT

SYSTEMD = Path("/lib/systemd/systemd")
UNSHARE = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts", "--ipc", "--cgroup")
PROGRAM = """#!/bin/sh
export PYTHONPATH=/opt/hearthflux/project:/opt/hearthflux/packages
export LD_LIBRARY_PATH=/opt/hearthflux/python/lib
exec /opt/hearthflux/python/bin/python3 -m operations.cli "$@"
"""
LOG = "/run/service.log"
BOOT = """
set -e
mount --make-rprivate /
mount --bind "$1/etc" /etc
mount --bind "$1/opt" /opt
mount --bind "$2" /opt/hearthflux/project
mount --bind "$3" /opt/hearthflux/packages
mount --bind "$4" /opt/hearthflux/python
mount -t tmpfs var /var/lib
mount -t tmpfs run /run
mkdir -p /run/systemd /run/lock /sys/fs/cgroup
mount -t tmpfs cgroup /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd || mount -t cgroup2 cgroup /sys/fs/cgroup
export container=other SYSTEMD_UNIT_PATH=/etc/systemd/system
exec "$5" --system --log-target=console --show-status=no
"""
TARGETS = ("sysinit", "basic", "shutdown", "multi-user", "network-online", "default")


def made_by_systemd() -> set[Path]:
    """Where it would put what it starts: groups of processes below our own, in every hierarchy there is."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    folders = [Path(mount[1]) for mount in mounts if mount[2] in ("cgroup", "cgroup2")]
    own = {line.split(":", 2)[2].lstrip("/") for line in Path("/proc/self/cgroup").read_text().splitlines()}
    return {folder / path / name for folder in folders for path in own for name in ("init.scope", "system.slice")}


class Service(Protocol):
    """A running service."""

    @property
    def log(self) -> str:
        """What it wrote."""

    def state(self, name: str) -> str:
        """systemd's property of it: ActiveState, NRestarts, Result."""

    def kill_service(self) -> None:
        """SIGKILL to its processes."""

    def stop_service(self) -> None:
        """As at a shutdown of the machine; it has ended then."""

    def end(self) -> None:
        """Nothing is left running."""


class Systemd:
    """The service under systemd. `files` are put into /etc, with their contents."""

    def __init__(self, folder: Path, unit: Path, user: str, files: dict[str, str]) -> None:
        self._name = unit.name
        self._log = folder / "systemd.log"
        etc, opt = folder / "etc", folder / "opt" / "hearthflux"
        for name in ("bin", "project", "packages", "python"):
            (opt / name).mkdir(parents=True)
        (opt / "bin" / "hearthflux").write_text(PROGRAM)
        (opt / "bin" / "hearthflux").chmod(0o755)
        units = etc / "systemd" / "system"
        units.mkdir(parents=True)
        for name in ("hosts", "nsswitch.conf", "resolv.conf", "localtime", "ld.so.cache", "ld.so.conf"):
            if (source := Path("/etc") / name).exists():
                shutil.copy(source, etc / name)
        (etc / "passwd").write_text(f"root:x:0:0::/root:/bin/sh\n{user}:x:990:990::/:/bin/sh\n")
        (etc / "group").write_text(f"root:x:0:\n{user}:x:990:\n")
        (etc / "machine-id").write_text(f"{1:032x}\n")
        for name, content in files.items():
            (etc / name).parent.mkdir(exist_ok=True)
            (etc / name).write_text(content)
        for name in TARGETS:
            wants = f"Wants={self._name}\n" if name == "default" else ""
            (units / f"{name}.target").write_text(f"[Unit]\nDefaultDependencies=no\n{wants}")
        shutil.copy(unit, units)
        # There is no journal in it.
        (units / f"{unit.name}.d").mkdir()
        (units / f"{unit.name}.d" / "log.conf").write_text(
            f"[Service]\nStandardOutput=append:{LOG}\nStandardError=inherit\n"
        )
        packages = Path(next(path for path in sys.path if path.endswith("site-packages")))
        command = [*UNSHARE, "sh", "-c", BOOT, "sh", *map(str, (folder, ROOT, packages, sys.base_prefix, SYSTEMD))]
        self._new_groups = {path for path in made_by_systemd() if not path.exists()}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    @property
    def log(self) -> str:
        log = Path(f"/proc/{self._init}/root{LOG}")
        service = log.read_text(errors="replace") if log.exists() else ""
        return self._log.read_text(errors="replace")[-4000:] + service

    @property
    def _init(self) -> int:
        """systemd's process id, as it is outside."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        end = time.monotonic() + 30
        while self._process.poll() is None and time.monotonic() < end:
            if found := children.read_text().split():
                return int(found[0])
            time.sleep(0.05)
        raise RuntimeError(self._log.read_text(errors="replace"))

    def is_running(self) -> bool:
        """Once systemd answers; False where it does not come up."""
        end = time.monotonic() + 30
        while self._process.poll() is None and time.monotonic() < end:
            if self.state("ActiveState"):
                return True
            time.sleep(0.1)
        return False

    def systemctl(self, *arguments: str) -> str:
        """What it says on standard output."""
        command = ["nsenter", f"--target={self._init}", "--pid", "--mount", "systemctl", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()

    def state(self, name: str) -> str:
        return self.systemctl("show", self._name, f"--property={name}", "--value")

    def kill_service(self) -> None:
        self.systemctl("kill", "--signal=SIGKILL", self._name)

    def stop_service(self) -> None:
        self.systemctl("stop", self._name)

    def end(self) -> None:
        # Everything in the namespaces ends with its process 1.
        if self._process.poll() is None:
            os.kill(self._init, signal.SIGKILL)
        self._process.wait(30)
        # Its processes may be gone a moment later than it.
        end = time.monotonic() + 5
        while (left := [path for group in self._new_groups for path in group.glob("**/")]) and time.monotonic() < end:
            for path in sorted(left, reverse=True):
                with contextlib.suppress(OSError):
                    path.rmdir()


class ByHand:
    """The service without systemd: the unit's environment and command line, a folder of state, started again when it is
    killed."""

    def __init__(self, folder: Path, unit: Path, user: str, files: dict[str, str]) -> None:
        text = unit.read_text()
        for name, content in files.items():
            (folder / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "etc" / name).write_text(content)
        state = folder / "lib" / user
        state.mkdir(parents=True)

        def here(said: str) -> str:
            return said.replace("/etc/", f"{folder}/etc/").replace(f"/var/lib/{user}", str(state))

        (environment,) = re.findall(r"^EnvironmentFile=(.*)$", text, re.M)
        lines = Path(here(environment)).read_text().splitlines()
        lines += [one for said in re.findall(r"^Environment=(.*)$", text, re.M) for one in here(said).split()]
        (command,) = re.findall(r"^ExecStart=\S+ (.*)$", text, re.M)
        assert re.search(r"^Restart=always$", text, re.M)
        self._command = [sys.executable, "-m", "operations.cli", *shlex.split(here(command))]
        self._environment = {**os.environ, **dict(line.split("=", 1) for line in lines)}
        self._wait = float(re.findall(r"^RestartSec=(.*)$", text, re.M)[0])
        self._patience = float(re.findall(r"^TimeoutStopSec=(.*)$", text, re.M)[0])
        self._log = folder / "service.log"
        self._stopping = threading.Event()
        self._starts = 0
        self._process = self._start()
        self._thread = threading.Thread(target=self._keep_up)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._starts += 1
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT
            )

    def _keep_up(self) -> None:
        while True:
            self._process.wait()
            if self._stopping.wait(self._wait):
                return
            self._process = self._start()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def state(self, name: str) -> str:
        ended = self._process.poll()
        found = {
            "ActiveState": "active" if ended is None else "inactive",
            "NRestarts": str(self._starts - 1),
            "Result": "success" if ended in (None, 0) else "failed",
        }
        return found[name]

    def kill_service(self) -> None:
        self._process.kill()

    def stop_service(self) -> None:
        self._stopping.set()
        self._process.terminate()
        self._process.wait(self._patience)
        self._thread.join()

    def end(self) -> None:
        self._stopping.set()
        self._process.kill()
        self._thread.join()


def service(folder: Path, unit: Path, user: str, files: dict[str, str]) -> Service:
    """The started service; `files` are put into /etc, with their contents."""
    if SYSTEMD.exists() and shutil.which("nsenter") is not None:
        running = Systemd(folder / "systemd", unit, user, files)
        if running.is_running():
            return running
        running.end()
    return ByHand(folder / "by-hand", unit, user, files)

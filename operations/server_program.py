"""How influxd is run: as an executable of this machine, or from Docker's official image.

Either way there is one process of ours to watch: influxd itself, or `docker run` in the foreground, which hands
SIGTERM on to the server. What a signal can't do to a container, Docker is asked to do by its name.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tools import find

HOST = "127.0.0.1"
DOCKER_TIMEOUT_SECONDS = 60


class ServerProgram(Protocol):
    """A way to run influxd in a folder. `options` are influxd's own, without the address that it listens on."""

    def command(self, folder: Path, port: int, options: Mapping[str, str]) -> list[str]:
        """What to start so that the server answers on 127.0.0.1:port. Raises ToolMissing."""

    def before_start(self, folder: Path) -> None:
        """Clear away what a crash left behind."""

    def send(self, folder: Path, pid: int, what: signal.Signals) -> None:
        """SIGTERM, SIGKILL, SIGSTOP or SIGCONT to the server. Raises ProcessLookupError where it is gone."""


def _arguments(options: Mapping[str, str], address: str) -> list[str]:
    return [f"--{name}={value}" for name, value in {**options, "http-bind-address": address}.items()]


@dataclass(frozen=True, slots=True)
class Executable:
    """influxd from PATH or `.tools/bin`."""

    def command(self, folder: Path, port: int, options: Mapping[str, str]) -> list[str]:
        return [str(find.influxd()), *_arguments(options, f"{HOST}:{port}")]

    def before_start(self, folder: Path) -> None:
        pass

    def send(self, folder: Path, pid: int, what: signal.Signals) -> None:
        os.kill(pid, what)


@dataclass(frozen=True, slots=True)
class Image:
    """Docker's image, with the folder at the same path inside; its files belong to the user who started it."""

    image: str = find.DOCKER_IMAGE

    def name(self, folder: Path) -> str:
        """One container per folder."""
        return f"hearthflux-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"

    def command(self, folder: Path, port: int, options: Mapping[str, str]) -> list[str]:
        place = str(folder.resolve())
        return [
            *("docker", "run", "--rm", "--init", "--name", self.name(folder)),
            *("--user", f"{os.getuid()}:{os.getgid()}", "--volume", f"{place}:{place}"),
            *("--publish", f"{HOST}:{port}:{port}", "--entrypoint", "influxd", self.image),
            *_arguments(options, f"0.0.0.0:{port}"),
        ]

    def before_start(self, folder: Path) -> None:
        self._docker("rm", "--force", self.name(folder))

    def send(self, folder: Path, pid: int, what: signal.Signals) -> None:
        if what == signal.SIGTERM:
            os.kill(pid, what)
            return
        words = {signal.SIGKILL: "kill", signal.SIGSTOP: "pause", signal.SIGCONT: "unpause"}
        self._docker(words[what], self.name(folder))

    def _docker(self, *arguments: str) -> None:
        subprocess.run(
            ["docker", *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=DOCKER_TIMEOUT_SECONDS
        )


def server_program() -> ServerProgram:
    """The executable; Docker's image where `make tools` found no other way."""
    return Image() if find.uses_docker_image() else Executable()

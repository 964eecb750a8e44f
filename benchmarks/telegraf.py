"""Telegraf as a peer: a listener for InfluxDB 2's write endpoint in front, the database behind."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from operations.influxd import free_port

# As it comes, but for an interval of a second instead of ten, so that it has as little to lose as others have.
CONFIGURATION = """
[agent]
  flush_interval = "1s"
  omit_hostname = true
  buffer_strategy = "{strategy}"
  buffer_directory = "{folder}/buffer"

[[inputs.influxdb_v2_listener]]
  service_address = "127.0.0.1:{port}"

[[outputs.influxdb_v2]]
  alias = "{bucket}"
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
"""


@dataclass
class Telegraf:
    program: Path
    folder: Path
    strategy: str
    target: dict[str, str]
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "telegraf.log"

    def start(self) -> None:
        """Start it, unless it runs, and wait until it listens."""
        if self._process is not None and self._process.poll() is None:
            return
        (self.folder / "buffer").mkdir(parents=True, exist_ok=True)
        path = self.folder / "telegraf.conf"
        path.touch(mode=0o600)
        path.write_text(CONFIGURATION.format(strategy=self.strategy, folder=self.folder, port=self.port, **self.target))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, "--config", path], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        for _ in range(200):
            if self._process.poll() is None and self._answers():
                return
            time.sleep(0.05)
        raise RuntimeError(f"Telegraf does not start: the end of its log is {self.log.read_text()[-400:]}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=1):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, seconds: float = 60) -> None:
        """As a service is stopped: it writes what it holds, if it can."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

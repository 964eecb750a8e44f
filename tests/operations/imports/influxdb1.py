"""A real InfluxDB 1.x, and the lines that Home Assistant's integration writes into it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

from operations.influxd import free_port
from tools.influxdb1 import INSPECT, SERVER

HOST = "127.0.0.1"
CONFIGURATION = """
reporting-disabled = true
bind-address = "{host}:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "{host}:{port}"
  log-enabled = false
  auth-enabled = {auth}
[monitor]
  store-enabled = false
[logging]
  level = "warn"
"""


class InfluxDB1:
    """One server in a folder of its own."""

    def __init__(self, folder: Path, *, auth: bool = False) -> None:
        self.folder = folder
        self.port, self._rpc = free_port(), free_port()
        self._auth = auth
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> InfluxDB1:
        configuration = self.folder / "influxdb.conf"
        configuration.write_text(
            CONFIGURATION.format(
                folder=self.folder, host=HOST, port=self.port, rpc=self._rpc, auth=str(self._auth).lower()
            )
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [SERVER, "run", "-config", configuration],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        end = time.monotonic() + 300
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/ping", timeout=2):
                return self
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def query(self, text: str, user: str = "", password: str = "") -> list[dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.url}/query", data=urllib.parse.urlencode({"q": text, "epoch": "ns"}).encode()
        )
        if user:
            request.add_header("Authorization", "Basic " + b64encode(f"{user}:{password}".encode()).decode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            results = json.loads(answer.read())["results"]
        assert not any("error" in one for one in results), results
        return [series for one in results for series in one.get("series", ())]

    def write(self, database: str, lines: list[str]) -> None:
        for start in range(0, len(lines), 20_000):
            body = "\n".join(lines[start : start + 20_000]).encode()
            urllib.request.urlopen(f"{self.url}/write?db={database}&precision=ns", data=body, timeout=60).close()

    def export(self, database: str, target: Path, *, compress: bool = False) -> Path:
        """What `influx_inspect export` writes of a database."""
        folders = ["-datadir", str(self.folder / "data"), "-waldir", str(self.folder / "wal")]
        command = [str(INSPECT), "export", *folders, "-database", database, "-out", str(target)]
        command += ["-compress"] if compress else []
        subprocess.run(command, check=True, capture_output=True)
        return target


def key(text: str) -> str:
    return text.replace(",", r"\,").replace(" ", r"\ ").replace("=", r"\=")


def point(measurement: str, entity_id: str, state: str, attributes: dict[str, Any], time_ns: int, **tags: str) -> str:
    """The line that Home Assistant's integration writes for a state (2024.3: its rules for values and attributes)."""
    domain, _, name = entity_id.partition(".")
    fields: dict[str, Any] = {}
    try:
        fields["value"] = float(state)
    except ValueError:
        fields["state"] = state
        if state in ("on", "off"):
            fields["value"] = 1.0 if state == "on" else 0.0
    for attribute, value in attributes.items():
        if attribute == "unit_of_measurement" and measurement == value:
            continue
        try:
            fields[attribute] = float(value)
        except (TypeError, ValueError):
            fields[f"{attribute}_str"] = str(value)
    return line(measurement, {"domain": domain, "entity_id": name, **tags}, fields, time_ns)


def line(measurement: str, tags: dict[str, Any], fields: dict[str, Any], time_ns: int) -> str:
    """A point as the integration's client library writes it: fields are numbers or texts, empty tags none."""
    quoted = {
        name: repr(value) if isinstance(value, float) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for name, value in fields.items()
    }
    series = ",".join(
        [key(measurement)]
        + [f"{name}={key(str(value))}" for name, value in sorted(tags.items()) if value not in (None, "")]
    )
    return f"{series} {','.join(f'{key(name)}={value}' for name, value in quoted.items())} {time_ns}"

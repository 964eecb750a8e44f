"""A real `influxd` in a folder of its own: started, set up once, stopped, killed, paused.

Used by `hearthflux server`, by the demo and by the tests. The folder holds everything of that server:

    data/          bolt file, SQLite file and the storage engine
    influxd.log    what the server printed
    influxd.json   process id and its start time, port (while it runs; left behind by a crash)
    token          the operator token, readable by the user only
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operations.server_program import HOST, ServerProgram, server_program

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.05
SETUP_BUCKET = "setup"


class ServerError(Exception):
    """The server could not be started, reached or set up; the message is for a person."""


def free_port() -> int:
    """A TCP port on the loopback address that nobody listens on at this moment.

    It is below those that the kernel gives to connections by itself, so that it is still free when the server starts,
    and when it starts again.
    """
    while port_is_taken(port := random.randrange(20_000, 32_768)):
        pass
    return port


def port_is_taken(port: int) -> bool:
    with socket.socket() as probe:
        # As influxd itself does: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
        return False


def process_start_time(pid: int) -> str | None:
    """What tells this process from a later one with the same id (Linux); "" where /proc is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc/self").exists():
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return ""
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def write_private(path: Path, text: str) -> None:
    """Write a secret so that it is at no moment readable by others, and never half there."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    partial.rename(path)


@dataclass
class LocalInfluxd:
    """One local InfluxDB 2.7 server. `port` 0 takes a free one at the first start and keeps it."""

    folder: Path
    port: int = 0
    org: str = "hearthflux"
    username: str = "hearthflux"
    options: dict[str, str] = field(default_factory=dict)
    program: ServerProgram = field(default_factory=server_program)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        state = self._state()
        if self.port == 0 and state is not None:
            self.port = int(state["port"])

    # where things are -----------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "influxd.log"

    @property
    def engine_path(self) -> Path:
        return self.folder / "data" / "engine"

    @property
    def token_path(self) -> Path:
        return self.folder / "token"

    @property
    def token(self) -> str:
        """The operator token. Raises ServerError before the server was set up."""
        try:
            return self.token_path.read_text().strip()
        except FileNotFoundError:
            raise ServerError(f"There is no operator token in {self.folder}: start the server once.") from None

    @property
    def org_id(self) -> str:
        """The id of the organization that the set-up made."""
        found = self.api("GET", f"/api/v2/orgs?org={self.org}")
        return str(found["orgs"][0]["id"])

    @property
    def _state_path(self) -> Path:
        return self.folder / "influxd.json"

    def _state(self) -> dict[str, Any] | None:
        try:
            state = json.loads(self._state_path.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return state if isinstance(state, dict) and {"pid", "port", "started"} <= state.keys() else None

    # is it there ----------------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None. A stale file is not mistaken for a server."""
        if self._process is not None:
            return self._process.pid if self._process.poll() is None else None
        state = self._state()
        if state is None:
            return None
        pid = int(state["pid"])
        started = process_start_time(pid)
        return pid if started is not None and started == state["started"] else None

    @property
    def left_behind(self) -> bool:
        """True where a state file is there of a server that ended without being stopped."""
        return self._state_path.exists() and self.pid is None

    def is_ready(self, timeout: float = 2.0) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=timeout) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False

    def log_tail(self, lines: int = 8) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    # start and stop -------------------------------------------------------------------------------------

    def start(self, *, timeout: float = START_TIMEOUT_SECONDS) -> LocalInfluxd:
        """Start the server, wait until it answers and set it up if it is new. Does nothing when it runs.

        Raises ServerError: port taken, server died (with the end of its log), no answer in `timeout` seconds.
        """
        if self.pid is None:
            self.launch()
        self.wait_until_ready(timeout=timeout)
        self.set_up()
        return self

    def launch(self) -> None:
        """Start the process without waiting for its answer."""
        if self.port == 0:
            self.port = free_port()
        elif port_is_taken(self.port):
            raise ServerError(
                f"Port {self.port} on {HOST} is taken by another program: stop that one, or choose a free port."
            )
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.program.before_start(self.folder)
        options = {
            "bolt-path": str(data / "influxd.bolt"),
            "sqlite-path": str(data / "influxd.sqlite"),
            "engine-path": str(self.engine_path),
            "reporting-disabled": "true",
            "log-level": "warn",
            **self.options,
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("INFLUXD_")}
        with self.log.open("ab") as output:
            # A session of its own: Ctrl-C in the terminal that started it does not stop the server.
            self._process = subprocess.Popen(
                self.program.command(self.folder, self.port, options),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=self.folder,
                start_new_session=True,
            )
        pid = self._process.pid
        state = {"pid": pid, "port": self.port, "started": process_start_time(pid)}
        partial = self._state_path.with_suffix(".partial")
        partial.write_text(json.dumps(state))
        partial.rename(self._state_path)

    def wait_until_ready(self, *, timeout: float = START_TIMEOUT_SECONDS) -> None:
        deadline = time.monotonic() + timeout
        while not self.is_ready():
            if self.pid is None:
                code = None if self._process is None else self._process.poll()
                shown = "" if code is None else f" with exit code {code}"
                raise ServerError(f"influxd ended at its start{shown}; the end of {self.log}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServerError(
                    f"influxd (process {self.pid}) gave no answer at {self.url} in {timeout:.0f} s; "
                    f"the end of {self.log}:\n{self.log_tail()}"
                )
            time.sleep(POLL_SECONDS)

    def stop(self, *, timeout: float = STOP_TIMEOUT_SECONDS) -> bool:
        """End the server cleanly; True if one was running."""
        return self._end(signal.SIGTERM, timeout)

    def kill(self) -> bool:
        """SIGKILL: the server's process is gone at once, as after a crash."""
        return self._end(signal.SIGKILL, STOP_TIMEOUT_SECONDS)

    def _end(self, how: signal.Signals, timeout: float) -> bool:
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                self.program.send(self.folder, pid, signal.SIGCONT)
                self.program.send(self.folder, pid, how)
            deadline = time.monotonic() + timeout
            while self.pid is not None:
                if time.monotonic() > deadline:
                    if how == signal.SIGKILL:
                        raise ServerError(f"influxd (process {pid}) does not end, not even by SIGKILL.")
                    return self._end(signal.SIGKILL, timeout)
                time.sleep(POLL_SECONDS)
        self._process = None
        self._state_path.unlink(missing_ok=True)
        return pid is not None

    def restart(self) -> LocalInfluxd:
        """Stop and start on the same folder and port."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """SIGSTOP: connections are accepted by the kernel and never answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, what: signal.Signals) -> None:
        pid = self.pid
        if pid is None:
            raise ServerError(f"No server runs in {self.folder}.")
        self.program.send(self.folder, pid, what)

    # set-up ---------------------------------------------------------------------------------------------

    def set_up(self) -> None:
        """Make the first user, organization and operator token, once. The token is on disk before it is used."""
        if not self.api("GET", "/api/v2/setup", authorized=False)["allowed"]:
            if not self.token_path.exists():
                raise ServerError(
                    f"The server in {self.folder} was set up before, but its token file {self.token_path} is gone: "
                    "put the operator token there, or remove the folder to begin anew."
                )
            return
        token = self.token_path.read_text().strip() if self.token_path.exists() else secrets.token_urlsafe(48)
        write_private(self.token_path, token + "\n")
        self.api(
            "POST",
            "/api/v2/setup",
            {
                "username": self.username,
                "password": secrets.token_urlsafe(24),
                "org": self.org,
                "bucket": SETUP_BUCKET,
                "token": token,
            },
            authorized=False,
        )

    def api(self, method: str, path: str, body: object = None, *, authorized: bool = True) -> Any:
        """One call of the server's API with the operator token; the parsed JSON answer, None where it is empty."""
        headers = {"Content-Type": "application/json"}
        if authorized:
            headers["Authorization"] = f"Token {self.token}"
        request = urllib.request.Request(
            self.url + path, method=method, headers=headers, data=None if body is None else json.dumps(body).encode()
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            reason = error.read().decode(errors="replace")[:300]
            raise ServerError(f"{method} {path} was answered {error.code}: {reason}") from None
        except OSError as error:
            raise ServerError(f"No answer from {self.url}: {getattr(error, 'reason', error)}") from None
        return json.loads(text) if text.strip() else None

    def write(
        self, bucket: str, lines: str, *, org: str | None = None, precision: str = "ns", age_seconds: int = 0
    ) -> None:
        """Write line protocol past every writer, `bucket` and `org` as names or ids.

        With `age_seconds` the lines have no time of their own and get one that old.
        """
        if age_seconds:
            stamp, precision = f" {int(time.time()) - age_seconds}", "s"
            lines = "\n".join(line + stamp for line in lines.splitlines())
        named = {"bucket": bucket, "org": org or self.org, "precision": precision}
        request = urllib.request.Request(
            f"{self.url}/api/v2/write?{urllib.parse.urlencode(named)}",
            method="POST",
            headers={"Authorization": f"Token {self.token}"},
            data=lines.encode(),
        )
        with urllib.request.urlopen(request, timeout=60):
            pass

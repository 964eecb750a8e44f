"""A real Home Assistant: started, onboarded over HTTP, given states, killed; and a network to it that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import aiohttp

from operations.influxd import free_port
from tools.home_assistant import COMMAND

HOST = "127.0.0.1"
CONFIGURATION = """
homeassistant:
  name: Test
  latitude: 52.4
  longitude: 4.9
  elevation: 0
  unit_system: metric
  time_zone: Europe/Amsterdam
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
websocket_api:
config:
onboarding:
recorder:
  commit_interval: 1
history:
demo:
logger:
  default: error
"""


class Home:
    """One Home Assistant in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.token = ""
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self.port))

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def database(self) -> Path:
        return self.folder / "home-assistant_v2.db"

    def start(self) -> Home:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "--config", self.folder, "--skip-pip"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        end = time.monotonic() + 300
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                steps = self.call("GET", "/api/onboarding")
                if not self.token and not steps[0]["done"]:
                    self._onboard()
                return self
            assert self._process.poll() is None, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text()[-3000:])

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def call(self, method: str, path: str, body: Any = None, *, form: bool = False) -> Any:
        encoded = None
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            encoded = urllib.parse.urlencode(body).encode() if form else json.dumps(body).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded" if form else "application/json"
        request = urllib.request.Request(f"{self.url}{path}", data=encoded, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def _onboard(self) -> None:
        client = f"{self.url}/"
        user = {"client_id": client, "name": "T", "username": "t", "password": "test-only", "language": "en"}
        code = self.call("POST", "/api/onboarding/users", user)["auth_code"]
        grant = {"client_id": client, "grant_type": "authorization_code", "code": code}
        short = self.call("POST", "/auth/token", grant, form=True)["access_token"]
        self.token = asyncio.run(self.command(short, "auth/long_lived_access_token", client_name="follow", lifespan=10))

    async def command(self, token: str, kind: str, **fields: Any) -> Any:
        """The result of one websocket command."""
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{self.url}/api/websocket") as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": token})
            assert (await socket.receive_json())["type"] == "auth_ok"
            await socket.send_json({"id": 1, "type": kind, **fields})
            answer = await socket.receive_json()
            assert answer["success"], answer
            return answer["result"]

    def set_state(self, entity_id: str, state: str, **attributes: Any) -> None:
        self.call("POST", f"/api/states/{entity_id}", {"state": state, "attributes": attributes})

    def recorded(self, like: str = "%") -> list[tuple[str, int, str]]:
        """(entity, time in microseconds, state) of the recorder's states, without those of removed entities."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT m.entity_id, s.last_updated_ts, s.state FROM states s JOIN states_meta m USING (metadata_id)"
                " WHERE m.entity_id LIKE ? AND s.state IS NOT NULL AND s.state != ''",
                (like,),
            ).fetchall()
        return [(entity, round(at * 1e6), state) for entity, at, state in rows]


class Network:
    """A way to a port that can be cut: what is on it then breaks, and nothing new gets through."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.port = free_port()
        self._up = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._carry, HOST, self.port)
        await self._ended.wait()
        server.close()
        self._break()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._up:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while part := await reader.read(65_536):
                writer.write(part)
                await writer.drain()
        writer.close()

    def _break(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def cut(self) -> None:
        self._up = False
        self._loop.call_soon_threadsafe(self._break)

    def mend(self) -> None:
        self._up = True

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(5)
        self._loop.close()

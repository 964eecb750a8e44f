"""Home Assistant's websocket API: authentication, commands and their results, events in order.

One task reads. Results go to who asked; events go into a bounded queue: if it is full because the writer is, reading
stops, Home Assistant ends the connection, and what was missed is filled from its history.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

QUEUED_EVENTS = 20_000
CONNECT_SECONDS = 15.0
COMMAND_SECONDS = 120.0


class ConnectionLost(Exception):
    """The connection could not be made or has ended; worth another try. The message is for a person."""


class TokenRefused(Exception):
    """Home Assistant does not know the token."""


class CommandFailed(Exception):
    """Home Assistant refused a command; the message has its reason."""


class HomeAssistant:
    """An open connection; made by `connected`."""

    def __init__(self, url: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.url = url
        self.version = ""
        self._socket = socket
        self._number = 0
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(QUEUED_EVENTS)
        self._ended = "the connection has ended"

    @property
    def waiting(self) -> int:
        """Events that have come and were not taken yet."""
        return self._events.qsize()

    async def ask(self, kind: str, **fields: Any) -> Any:
        """The result of a command. Raises CommandFailed, ConnectionLost."""
        self._number += 1
        number = self._number
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_json({"id": number, "type": kind, **fields})
            return await asyncio.wait_for(answer, COMMAND_SECONDS)
        except TimeoutError:
            raise ConnectionLost(f"Home Assistant did not answer {kind} in {COMMAND_SECONDS:.0f} s") from None
        except (aiohttp.ClientError, ConnectionError, RuntimeError) as error:
            raise ConnectionLost(f"{self._ended} ({error})") from None
        finally:
            self._asked.pop(number, None)

    async def subscribe(self, event_type: str) -> None:
        await self.ask("subscribe_events", event_type=event_type)

    async def events(self, most: int) -> list[dict[str, Any]]:
        """The next events, as many as are there, at least one. Raises ConnectionLost after the last."""
        found = []
        first = await self._events.get()
        while first is not None:
            found.append(first)
            if len(found) >= most or self._events.empty():
                return found
            first = self._events.get_nowait()
        if found:
            self._events.put_nowait(None)
            return found
        raise ConnectionLost(self._ended)

    async def authenticate(self, token: str) -> None:
        """Raises TokenRefused, ConnectionLost."""
        try:
            greeting = await self._socket.receive_json(timeout=CONNECT_SECONDS)
            if greeting.get("type") == "auth_required":
                await self._socket.send_json({"type": "auth", "access_token": token})
                greeting = await self._socket.receive_json(timeout=CONNECT_SECONDS)
        except (TypeError, ValueError, TimeoutError, aiohttp.ClientError, ConnectionError) as error:
            raise ConnectionLost(f"{self.url} ended the greeting: {error or type(error).__name__}") from None
        if greeting.get("type") == "auth_invalid":
            raise TokenRefused(
                f"Home Assistant at {self.url} refuses the token ({greeting.get('message', 'no reason given')}): make "
                "a long-lived access token in your profile under Security and set HOME_ASSISTANT_TOKEN."
            )
        if greeting.get("type") != "auth_ok":
            raise ConnectionLost(f"what answers at {self.url} is no Home Assistant")
        self.version = str(greeting.get("ha_version", ""))

    async def read(self) -> None:
        """Read until the connection ends; never raises."""
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    content = message.json()
                    for one in content if isinstance(content, list) else [content]:
                        await self._take(one)
                elif message.type is aiohttp.WSMsgType.ERROR:
                    break
            code = self._socket.close_code
            self._ended = f"Home Assistant at {self.url} ended the connection (code {code})"
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            self._ended = f"the connection to {self.url} broke: {error}"
        finally:
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(ConnectionLost(self._ended))
            # The queue may be full: who takes its events finds the end after them.
            with contextlib.suppress(asyncio.CancelledError):
                await self._events.put(None)

    async def _take(self, message: Mapping[str, Any]) -> None:
        if message.get("type") == "event":
            await self._events.put(dict(message["event"]))
            return
        answer = self._asked.get(int(message.get("id", 0)))
        if answer is None or answer.done() or message.get("type") != "result":
            return
        if message.get("success"):
            answer.set_result(message.get("result"))
        else:
            error = message.get("error") or {}
            answer.set_exception(CommandFailed(f"{error.get('code')}: {error.get('message')}"))


@contextlib.asynccontextmanager
async def connected(url: str, websocket: str, token: str, *, silence: float) -> AsyncIterator[HomeAssistant]:
    """An authenticated connection. It counts as broken when nothing comes for `silence` seconds.

    Raises ConnectionLost, TokenRefused.
    """
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    ) as session:
        try:
            # A state's attributes may be large: no limit to a message.
            socket = await session.ws_connect(websocket, heartbeat=silence, max_msg_size=0)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = getattr(error, "os_error", None) or str(error) or type(error).__name__
            raise ConnectionLost(f"no Home Assistant answers at {url}: {reason}") from None
        async with socket:
            home = HomeAssistant(url, socket)
            await home.authenticate(token)
            reading = asyncio.create_task(home.read())
            try:
                yield home
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

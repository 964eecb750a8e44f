"""An HTTP server in front of the real one; what it does with a request is its subclass's."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, web


class Proxy(ABC):
    def __init__(self, target: str) -> None:
        self._target = target
        self.url = ""

    @abstractmethod
    async def _handle(self, request: web.Request) -> web.StreamResponse:
        """The answer to a request."""

    async def __aenter__(self) -> Self:
        self._session = ClientSession()
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        with contextlib.suppress(Exception):
            await self._session.close()
        await self._runner.cleanup()

"""A small HTTP server for the faults that a real one cannot be made to show; it passes the rest on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType

from aiohttp import ClientSession, web

# Called with the body and the request's number: a response, None to pass on, or "cut" to pass on and hang up.
Decide = Callable[[bytes, int], web.StreamResponse | str | None]


class FaultyProxy:
    def __init__(self, target: str, decide: Decide) -> None:
        self._target, self._decide = target, decide
        self.requests = 0
        self.url = ""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests += 1
        verdict = self._decide(body, self.requests)
        if isinstance(verdict, web.StreamResponse):
            return verdict
        if verdict == "hang":
            await asyncio.sleep(60)
        headers = {"Authorization": request.headers["Authorization"]}
        async with self._session.post(self._target + str(request.rel_url), data=body, headers=headers) as answer:
            text = await answer.read()
            if verdict == "cut" and request.transport is not None:
                request.transport.abort()
            return web.Response(status=answer.status, body=text, content_type="application/json")

    async def __aenter__(self) -> FaultyProxy:
        self._session = ClientSession()
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        with contextlib.suppress(Exception):
            await self._session.close()
        await self._runner.cleanup()


class EndlessProxy(FaultyProxy):
    """Its first answer has a status and a body that goes on for ever; the batch was stored or not."""

    def __init__(self, target: str, status: int, passes_on: bool) -> None:
        super().__init__(target, lambda body, number: None)
        self._status, self._passes_on = status, passes_on

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.requests:
            return await super()._handle(request)
        body = await request.read()
        self.requests += 1
        if self._passes_on:
            headers = {"Authorization": request.headers["Authorization"]}
            async with self._session.post(self._target + str(request.rel_url), data=body, headers=headers) as answer:
                assert answer.status == 204
        response = web.StreamResponse(status=self._status)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"and so on " * 1000)
                await asyncio.sleep(0.001)
        return response


def refusal(status: int, message: str, **headers: str) -> web.Response:
    return web.json_response({"code": "x", "message": message}, status=status, headers=headers)

"""A small HTTP server for the faults that a real one cannot be made to show; it passes the rest on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp import web

from tests.proxy import Proxy

# Called with the body and the request's number: a response, None to pass on, another body to pass on, "cut" to pass on
# and hang up, or "hang".
Decide = Callable[[bytes, int], web.StreamResponse | str | bytes | None]


class FaultyProxy(Proxy):
    def __init__(self, target: str, decide: Decide) -> None:
        super().__init__(target)
        self._decide = decide
        self.requests = 0

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests += 1
        verdict = self._decide(body, self.requests)
        if isinstance(verdict, web.StreamResponse):
            return verdict
        if isinstance(verdict, bytes):
            body = verdict
        if verdict == "hang":
            await asyncio.sleep(60)
        headers = {"Authorization": request.headers.get("Authorization", "")}
        async with self._session.post(self._target + str(request.rel_url), data=body, headers=headers) as answer:
            text = await answer.read()
            if verdict == "cut" and request.transport is not None:
                request.transport.abort()
            return web.Response(status=answer.status, body=text, content_type="application/json")


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
            headers = {"Authorization": request.headers.get("Authorization", "")}
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

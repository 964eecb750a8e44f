"""The server's HTTP API: one pooled connection, errors as sentences. Never shows the token."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)


class ProviderError(Exception):
    """Something a person has to know; the message is shown as it is, without a traceback."""


class ApiError(ProviderError):
    """The server refused a call. Branch on `code`: a conflict comes as HTTP 422."""

    def __init__(self, method: str, path: str, status: int, code: str, message: str) -> None:
        super().__init__(f"{method} {path} was answered {status} ({code}): {message}")
        self.status = status
        self.code = code
        self.server_message = message

    @property
    def is_gone(self) -> bool:
        return self.status == 404 or self.code == "not found"


class Api:
    """Calls of one server with one token. `url` without a path."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Api({self.url!r})"

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                headers={"Authorization": f"Token {self._token}"}, timeout=TIMEOUT, trust_env=True
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, path: str, body: object = None, query: dict[str, str] | None = None) -> Any:
        """The parsed JSON answer (None where there is none). Raises ApiError and ProviderError."""
        text = await self._text(method, path, body, query)
        return json.loads(text) if text.strip() else None

    async def query(self, org_id: str, flux: str) -> str:
        """The annotated CSV answer of a Flux query."""
        body = {"query": flux, "type": "flux", "dialect": {"header": True, "annotations": []}}
        return await self._text("POST", "/api/v2/query", body, {"orgID": org_id})

    async def _text(self, method: str, path: str, body: object, query: dict[str, str] | None) -> str:
        try:
            async with self._open().request(method, self.url + path, json=body, params=query) as answer:
                text = await answer.text(errors="replace")
                if answer.status < 300:
                    return text
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise ProviderError(
                f"No answer from InfluxDB at {self.url} ({_reason(error)}): "
                "is the server running, and is influxdb:url (or INFLUXDB_URL) right?"
            ) from None
        try:
            refusal = json.loads(text)
            code, message = str(refusal.get("code", "")), str(refusal.get("message", text))
        except (ValueError, AttributeError):
            code, message = "", text[:300]
        if status == 401:
            raise ApiError(
                method, path, status, code, f"{message}: is influxdb:token (or INFLUXDB_TOKEN) a token of {self.url}?"
            )
        raise ApiError(method, path, status, code, message)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return str(error) or type(error).__name__

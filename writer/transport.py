"""Posts line protocol through influxdb-client's asyncio API; every fault becomes an `Answer`."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from writer.responses import Answer, reason_of
from writer.settings import SettingsError, WriterSettings

LONGEST_RETRY_AFTER = 300.0


def retry_after_seconds(text: str | None) -> float | None:
    """Seconds of a Retry-After header: a number or a date."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _tls(url: str) -> ssl.SSLContext:
    """influxdb-client loads the machine's certificates (40 ms) for every client, even where no TLS is spoken."""
    return ssl.create_default_context() if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _import_client() -> Any:
    # A second on a slow machine (it loads numpy where that is installed): never on the event loop.
    import aiohttp
    from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
    from influxdb_client.rest import ApiException
    from influxdb_client.service.write_service import WriteService

    return aiohttp, InfluxDBClientAsync, WriteService, ApiException


class Transport:
    """A pool of connections to one bucket. `post` never raises for what the network or the server does."""

    def __init__(self, settings: WriterSettings) -> None:
        self._settings = settings
        self._token = ""
        self._client: Any = None
        self._service: Any = None
        self._refused: Any = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        async with self._opening:
            if self._client is not None:
                return
            settings = self._settings
            aiohttp, client_class, service_class, self._refused = await asyncio.to_thread(_import_client)
            context = await asyncio.to_thread(_tls, settings.url)
            self._token = settings.current_token()
            self._client = client_class(
                url=settings.url,
                token=self._token,
                org=settings.org,
                enable_gzip=settings.gzip,
                timeout=aiohttp.ClientTimeout(total=settings.write_timeout),
                connection_pool_maxsize=settings.connections,
                ssl_context=context,
            )
            self._service = service_class(self._client.api_client)

    async def post(self, body: bytes) -> Answer:
        """Send lines. Status 0: no answer, with why."""
        try:
            await self.open()
            _, status, _ = await self._service.post_write_async(
                org=self._settings.org,
                bucket=self._settings.bucket,
                body=body,
                precision="ns",
                async_req=False,
                _return_http_data_only=False,
                content_type="text/plain; charset=utf-8",
            )
            return Answer(status)
        except SettingsError as error:
            return Answer(401, str(error))
        except TimeoutError:
            return Answer(0, f"no answer within {self._settings.write_timeout:g} s")
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if self._refused is not None and isinstance(error, self._refused):
                headers = error.headers or {}
                status = error.status or 0
                return Answer(status, reason_of(error.body, status), retry_after_seconds(headers.get("Retry-After")))
            return Answer(0, f"{type(error).__name__}: {error}")

    def renew_token(self) -> bool:
        """Ask for the token again; True if it is another one."""
        try:
            token = self._settings.current_token()
        except Exception:
            return False
        if self._client is None or token == self._token:
            return False
        self._token = token
        self._client.api_client.set_default_header("Authorization", f"Token {token}")
        return True

    async def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

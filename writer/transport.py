"""Posts line protocol through influxdb-client's asyncio API; every fault becomes an `Answer`."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import Sequence
from typing import Any

from writer.responses import Answer, reason_of, retry_after_seconds
from writer.settings import SettingsError, WriterSettings

LONGEST_REASON = 64 * 1024
# Level 1 takes a tenth of the bytes of what a home writes; higher levels cost much and gain little.
GZIP_LEVEL, GZIP_FORMAT = 1, 31


def _tls(settings: WriterSettings) -> ssl.SSLContext:
    """influxdb-client loads the machine's certificates (40 ms) for every client, even where no TLS is spoken."""
    if not settings.url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = "it holds no certificates in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsError(f"INFLUXDB_CA_FILE (ca_file) {settings.ca_file}: {reason}") from None


def _import_client() -> Any:
    # A second on a slow machine (it loads numpy where that is installed): never on the event loop.
    import aiohttp
    from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
    from influxdb_client.service.write_service import WriteService

    from writer.http_body import Body

    return aiohttp, InfluxDBClientAsync, WriteService, Body


def _zipped(parts: Sequence[bytes]) -> list[bytes]:
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_FORMAT)
    return [*map(packer.compress, parts), packer.flush()]


class Transport:
    """A pool of connections to one bucket. `post` never raises for what the network or the server does."""

    def __init__(self, settings: WriterSettings) -> None:
        self._settings = settings
        self._token = ""
        self._client: Any = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Make the client, once. Raises SettingsError for a token or a CA file that cannot be read."""
        async with self._opening:
            if self._client is not None:
                return
            settings = self._settings
            aiohttp, client_class, service_class, self._body = await asyncio.to_thread(_import_client)
            context = await asyncio.to_thread(_tls, settings)
            self._token = await asyncio.to_thread(settings.current_token)
            client = client_class(
                url=settings.url,
                token=self._token,
                org=settings.org,
                timeout=aiohttp.ClientTimeout(total=settings.write_timeout),
                connection_pool_maxsize=settings.connections,
                ssl_context=context,
                allow_redirects=False,
            )
            self._service = service_class(client.api_client)
            self._client = client

    async def prepare(self) -> None:
        """Open ahead of the first `post`, which says what is wrong where this fails."""
        with contextlib.suppress(Exception):
            await self.open()

    async def post(self, parts: Sequence[bytes]) -> Answer:
        """Send lines, whole ones in each part. Status 0: no answer, with why."""
        settings = self._settings
        try:
            if self._client is None:
                await self.open()
            more: dict[str, Any] = {}
            if settings.packs:
                parts = await asyncio.to_thread(_zipped, parts)
                more["content_encoding"] = "gzip"
            response = await self._service.post_write_async(
                org=settings.org,
                bucket=settings.bucket,
                body=self._body.of(parts),
                precision="ns",
                async_req=False,
                # The response as it comes: its body is read here, and only as far as it is needed.
                _preload_content=False,
                content_type="text/plain; charset=utf-8",
                **more,
            )
        except SettingsError as error:
            return Answer(401, str(error))
        except TimeoutError:
            return Answer(0, f"no answer within {settings.write_timeout:g} s")
        except Exception as error:
            return Answer(0, f"{type(error).__name__}: {error}")
        return await self._answer(response)

    async def _answer(self, response: Any) -> Answer:
        status: int = response.status
        if 200 <= status < 300:
            response.release()
            return Answer(status)
        retry_after = retry_after_seconds(response.headers.get("Retry-After"))
        reason = b""
        try:
            async with asyncio.timeout(self._settings.read_timeout):
                while len(reason) < LONGEST_REASON and (part := await response.content.read(LONGEST_REASON)):
                    reason += part
        except Exception:  # the status says what to do; the words are for a person
            response.close()
        finally:
            response.release()
        return Answer(status, reason_of(reason, status), retry_after)

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

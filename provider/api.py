"""The server's HTTP API: one pooled connection, errors as sentences. Never shows the token."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING, Any

from provider.values import Plain

if TYPE_CHECKING:
    import aiohttp

# `influxdb:flavor`: the open-source server, or InfluxDB Cloud.
OSS, CLOUD = "oss", "cloud"
TOTAL_SECONDS, CONNECT_SECONDS = 60, 10
TRIES, LONGEST_WAIT_SECONDS = 5, 30.0
_BY_ID = ("/tasks", "/buckets")


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


def _trusted(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ProviderError(
            f"influxdb:caFile (or INFLUXDB_CA_FILE) {ca_file} can't be used: {error.strerror or error}; a PEM file is "
            "needed."
        ) from None


class Api:
    """Calls of one server with one token. `url` without a path; `ca_file` holds the certificates (PEM) that are trusted
    for https, None for the machine's own; `flavor` is OSS or CLOUD. Raises ProviderError for a file that can't be used.
    """

    def __init__(self, url: str, token: str, ca_file: str | None = None, flavor: str = OSS) -> None:
        self.url = url.rstrip("/")
        self.flavor = flavor
        self._token = token
        self._trusted = _trusted(ca_file) if url.startswith("https:") else None
        self._session: aiohttp.ClientSession | None = None
        self._any_org: str | None = None
        self._listings: dict[tuple[str, str], asyncio.Task[list[Plain]]] = {}
        self._made_orgs: set[str] = set()
        # Ids that the stack's state has: another resource's, never to be taken over.
        self.in_state: set[str] = set()
        # Ids of what an earlier run left and this one took over.
        self.taken_over: set[str] = set()

    def __repr__(self) -> str:
        return f"Api({self.url!r})"

    def _open(self) -> aiohttp.ClientSession:
        # Loaded when the server is first asked: a preview without changes asks it nothing.
        import aiohttp

        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(ssl=self._trusted) if self._trusted is not None else None
            self._session = aiohttp.ClientSession(
                headers={"Authorization": f"Token {self._token}"},
                timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS),
                trust_env=True,
                connector=connector,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, path: str, body: object = None, query: dict[str, str] | None = None) -> Any:
        """The parsed JSON answer (None where there is none). Raises ApiError and ProviderError."""
        text = await self.text(method, path, body, query)
        return json.loads(text) if text.strip() else None

    async def query(self, org_id: str, flux: str) -> str:
        """The annotated CSV answer of a Flux query."""
        body = {"query": flux, "type": "flux", "dialect": {"header": True, "annotations": []}}
        return await self.text("POST", "/api/v2/query", body, {"orgID": org_id})

    async def any_org(self) -> str | None:
        """The id of an organization that the token may see."""
        if self._any_org is None:
            found = await self.call("GET", "/api/v2/orgs", query={"limit": "1"})
            self._any_org = str(found["orgs"][0]["id"]) if found["orgs"] else None
        return self._any_org

    def made_organization(self, identifier: str) -> None:
        """An organization that this run made holds nothing from before: it need not be asked."""
        self._made_orgs.add(identifier)

    async def listing(self, path: str, collection: str, query: dict[str, str], page_size: int) -> list[Plain]:
        """Everything that `path` lists, as it was when this run first asked. The same list each time: who makes
        something adds it."""
        key = (path, json.dumps(query, sort_keys=True))
        if key not in self._listings:
            empty = query.get("orgID") in self._made_orgs
            self._listings[key] = asyncio.create_task(
                _nothing() if empty else self.everything(path, collection, query, page_size)
            )
        try:
            return await asyncio.shield(self._listings[key])
        except ProviderError:
            self._listings.pop(key, None)
            raise

    async def everything(self, path: str, collection: str, query: dict[str, str], page_size: int) -> list[Plain]:
        """All pages of what `path` lists now; `page_size` 0: one answer has all. Nothing matching is an empty list."""
        try:
            return await self._pages(path, collection, query, page_size)
        except ApiError as error:
            if error.is_gone:
                return []
            raise

    async def _pages(self, path: str, collection: str, query: dict[str, str], page_size: int) -> list[Plain]:
        if page_size == 0:
            return list((await self.call("GET", path, query=query))[collection] or ())
        found: list[Plain] = []
        seen: set[str] = set()
        while True:
            page = {"limit": str(page_size)}
            if found:
                # Tasks go on after an id; the others would take an offset too, but it misses what is deleted meanwhile.
                page |= {"after": found[-1]["id"]} if path.endswith(_BY_ID) else {"offset": str(len(found))}
            answer = (await self.call("GET", path, query=query | page))[collection] or []
            new = [one for one in answer if one["id"] not in seen]
            found += new
            seen |= {one["id"] for one in new}
            if len(answer) < page_size or not new:
                return found

    async def text(self, method: str, path: str, body: object = None, query: dict[str, str] | None = None) -> str:
        """The answer as it is. Raises ApiError and ProviderError."""
        for attempt in range(TRIES):
            status, text, wait = await self._once(method, path, body, query)
            if status < 300:
                return text
            # Turned away before anything was done: Cloud's rate limit, a server that is starting.
            if status not in (429, 503) or attempt == TRIES - 1:
                break
            await asyncio.sleep(min(wait, LONGEST_WAIT_SECONDS))
        try:
            refusal = json.loads(text)
            code, message = str(refusal.get("code", "")), str(refusal.get("message", text))
        except (ValueError, AttributeError):
            code, message = "", text[:300]
        if status == 401:
            message = f"{message}: is influxdb:token (or INFLUXDB_TOKEN) a token of {self.url}?"
        if status == 405 and self.flavor == CLOUD:
            message = f"{message or 'method not allowed'}: this InfluxDB Cloud does not offer it"
        raise ApiError(method, path, status, code, message)

    async def _once(self, method: str, path: str, body: object, query: dict[str, str] | None) -> tuple[int, str, float]:
        """Status, text and the seconds to wait before another try."""
        import aiohttp

        try:
            async with self._open().request(method, self.url + path, json=body, params=query) as answer:
                text = await answer.text(errors="replace")
                return answer.status, text, _retry_after(answer.headers.get("Retry-After"), 1.0)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise ProviderError(
                f"No answer from InfluxDB at {self.url} ({_reason(error)}): "
                "is the server running, and is influxdb:url (or INFLUXDB_URL) right?"
            ) from None


async def _nothing() -> list[Plain]:
    return []


def _retry_after(value: str | None, default: float) -> float:
    return float(value) if value and value.replace(".", "", 1).isdigit() else default


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted; influxdb:caFile or INFLUXDB_CA_FILE can name the authority that made it"
    return str(error) or type(error).__name__

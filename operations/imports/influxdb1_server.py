"""A running InfluxDB 1.x as a source: InfluxQL over HTTP, answers in chunks, one span of time after the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import msgpack

from operations.imports.layout import NO_STATE, NO_STATES, NOT_KEPT, Layout, SeriesPlan, holds_no_unit
from operations.imports.pacing import ahead
from operations.imports.reading import Pace, Slice, SourceError, Window

CHUNK_ROWS = 5_000
SILENCE_SECONDS = 120.0
# Before each of the questions that are asked again when an answer broke off.
RETRY_SECONDS = (0.2, 1.0, 3.0, 10.0, 30.0)
MSGPACK = "application/x-msgpack"
# Readings in one answer: few and wide questions. Each costs the old server something for each of its series, and it
# unpacks whole blocks of a thousand values.
WANTED = 200_000
MOST_PARTS = 500


def quoted(name: str) -> str:
    """An identifier of InfluxQL."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def literal(text: str) -> str:
    """A string of InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def conditions(values: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What divides a measurement with these values of its tags into parts of few series, mostly one; together all.

    The old server merges the series of a question point by point: asked for one by one they cost it a third less.
    """
    if not values:
        yield ""
        return
    tag = max(values, key=lambda name: len(values[name]))
    # Series without the tag have it empty.
    equal = [f"{quoted(tag)} = {literal(value)}" for value in ("", *values[tag])]
    for start in range(0, len(equal), size := -(-len(equal) // MOST_PARTS)):
        yield f"({' OR '.join(equal[start : start + size])}) AND "


@dataclass(slots=True)
class MeasurementFields:
    """The fields of a measurement, and those of them that are read."""

    all: list[str]
    read: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server1x:
    """Where an InfluxDB 1.x is. `retention_policy` "" is the database's default one."""

    url: str
    database: str
    username: str = ""
    password: str = field(default="", repr=False)
    retention_policy: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SourceError(f"{self.url!r} is not an address such as http://homeassistant.local:8086")


async def parsed(parts: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    """The documents of an answer in JSON, one a line. Raises ValueError."""
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)
    if rest.strip():
        yield json.loads(rest)


async def unpacked(parts: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    """The documents of an answer in MessagePack, which costs the old server less than JSON. Raises ValueError,
    UnpackException."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=2**31 - 1)
    size = 0
    async for part in parts:
        unpacker.feed(part)
        size += len(part)
        for document in unpacker:
            yield document
    if unpacker.tell() != size:
        raise ValueError("not whole")


def said(body: bytes, content_type: str) -> str:
    """The words of an answer that refuses."""
    content = None
    with contextlib.suppress(ValueError, msgpack.UnpackException):
        content = msgpack.unpackb(body) if content_type == MSGPACK else json.loads(body)
    found = content.get("error") or content.get("message") if isinstance(content, dict) else None
    return str(found or body.decode(errors="replace"))


class TooMany(Exception):
    """A slice holds more readings than are wanted in memory."""


class InfluxDB1Server:
    """The source of `hearthflux import influxdb1 --url`. Use as an async context manager."""

    def __init__(self, server: Server1x, layout: Layout, *, pace: Pace | None = None) -> None:
        self._server = server
        self._layout = layout
        self._pace = pace or Pace(wanted=WANTED)
        self._session: aiohttp.ClientSession | None = None
        self._policy = server.retention_policy
        self._policies: list[str] = []
        self._fields: dict[str, MeasurementFields] = {}
        self._plans: dict[tuple[str, tuple[tuple[str, str], ...]], SeriesPlan | str] = {}

    @property
    def name(self) -> str:
        return f"InfluxDB 1.x at {self._server.url}, database {self._server.database}, policy {self._policy}"

    @property
    def identity(self) -> str:
        return f"influxdb1 {self._server.url.rstrip('/')} {self._server.database} {self._policy}"

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=SILENCE_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout)
        try:
            await self._look()
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    # ask ------------------------------------------------------------------------------------------------

    async def _documents(self, query: str) -> AsyncGenerator[dict[str, Any], None]:
        """The answer's documents as they come. Raises SourceError."""
        server = self._server
        assert self._session is not None
        # Compressed, an answer would cost the old server a third more.
        headers = {"Accept": MSGPACK, "Accept-Encoding": "identity"}
        if server.username:
            pair = b64encode(f"{server.username}:{server.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        parameters = {"db": server.database, "epoch": "ns", "chunked": "true", "chunk_size": str(CHUNK_ROWS)}
        try:
            async with self._session.post(
                f"{server.url.rstrip('/')}/query", params=parameters, data={"q": query}, headers=headers
            ) as answer:
                if answer.status != 200:
                    raise self._refused(answer.status, said(await answer.read(), answer.content_type))
                parts = answer.content.iter_any()
                # Before 1.4 there was JSON only.
                found = unpacked(parts) if answer.content_type == MSGPACK else parsed(parts)
                async for document in found:
                    yield self._checked(document)
        except aiohttp.ClientConnectorError as error:
            raise Interrupted(f"No InfluxDB answers at {server.url}: {error.os_error or error}.") from None
        except (TimeoutError, aiohttp.ClientError) as error:
            why = str(error) or type(error).__name__
            raise Interrupted(f"InfluxDB at {server.url} broke off its answer: {why}.") from None
        except (ValueError, msgpack.UnpackException):
            raise self._cut_off() from None

    def _cut_off(self) -> Interrupted:
        return Interrupted(f"InfluxDB at {self._server.url} sent an answer that is cut off.")

    def _checked(self, document: Any) -> dict[str, Any]:
        if not isinstance(document, dict):
            raise SourceError(f"What answers at {self._server.url} is no InfluxDB 1.x.")
        errors = [document.get("error"), *(one.get("error") for one in document.get("results", ()))]
        for error in errors:
            if error:
                raise self._refused(200, str(error))
        return document

    def _refused(self, status: int, text: str) -> SourceError:
        server = self._server
        if status in (401, 403):
            return SourceError(
                f"InfluxDB at {server.url} refuses user {server.username!r}: {text[:200]}; "
                "give --username, and the password in INFLUXDB1_PASSWORD."
            )
        if "database not found" in text:
            return SourceError(f"InfluxDB at {server.url} has no database {server.database!r}: {text[:200]}.")
        if status == 404:
            return SourceError(f"What answers at {server.url} is no InfluxDB 1.x: it knows no /query.")
        return SourceError(f"InfluxDB at {server.url} answered {status}: {text[:300]}")

    async def _series(self, query: str) -> list[dict[str, Any]]:
        found = []
        async for document in self._documents(query):
            for result in document.get("results", ()):
                found += result.get("series", ())
        return found

    # look -----------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Which policy, which measurements, which fields; and whether this is Home Assistant's at all."""
        server = self._server
        policies = await self._series(f"SHOW RETENTION POLICIES ON {quoted(server.database)}")
        rows = [dict(zip(one["columns"], row, strict=True)) for one in policies for row in one.get("values", ())]
        self._policies = [str(row["name"]) for row in rows]
        if not rows:
            known = [row[0] for one in await self._series("SHOW DATABASES") for row in one.get("values", ())]
            raise SourceError(
                f"InfluxDB at {server.url} has no database {server.database!r}; it has {', '.join(known) or 'none'}."
            )
        self._policy = server.retention_policy or next(str(row["name"]) for row in rows if row["default"])
        if self._policy not in self._policies:
            raise SourceError(
                f"Database {server.database} has no retention policy {self._policy!r}; "
                f"it has {', '.join(self._policies)}."
            )
        source = f"{quoted(server.database)}.{quoted(self._policy)}"
        fields = await self._series(f"SHOW FIELD KEYS ON {quoted(server.database)} FROM {source}./.*/")
        for one in fields:
            names = [str(row[0]) for row in one["values"]]
            measurement = str(one["name"])
            if any(holds_no_unit(measurement, name) for name in names):
                self._layout.defaults.add(measurement)
            read = [name for name in names if self._layout.wants_field(measurement, name)]
            self._fields[measurement] = MeasurementFields(names, read)
        if self._fields:
            await self._check_layout()

    async def _check_layout(self) -> None:
        if self._layout.mapping.rules:
            return
        keys = await self._series(f"SHOW TAG KEYS ON {quoted(self._server.database)}")
        if not any({"domain", "entity_id"} <= {row[0] for row in one["values"]} for one in keys):
            shown = ", ".join(sorted(self._fields)[:5])
            raise SourceError(
                f"Database {self._server.database} is not Home Assistant's: none of its {len(self._fields)} "
                f"measurements ({shown}) has the tags domain and entity_id. Describe it in a file for --mapping."
            )

    def left_out(self) -> dict[str, str]:
        found = self._layout.left_out()
        for measurement, fields in self._fields.items():
            if not fields.read:
                found[f"{measurement}: {', '.join(fields.all)}"] = NO_STATES
            used = self._layout.used.get(measurement)
            unused = [name for name in fields.all if used is not None and name not in used]
            if unused:
                found[f"{measurement}: {', '.join(unused)}"] = NOT_KEPT
        for policy in self._policies:
            if policy != self._policy:
                found[f"retention policy {policy}"] = "another policy than the one asked for (--retention-policy)"
        return found

    def _source(self, measurement: str) -> str:
        return f"{quoted(self._server.database)}.{quoted(self._policy)}.{quoted(measurement)}"

    async def span(self) -> tuple[int, int] | None:
        times: list[int] = []
        for measurement, fields in self._fields.items():
            if not fields.read:
                continue
            chosen = ", ".join(map(quoted, fields.read))
            for order in ("ASC", "DESC"):
                query = f"SELECT {chosen} FROM {self._source(measurement)} ORDER BY time {order} LIMIT 1"
                times += [row[0] for one in await self._series(query) for row in one.get("values", ())]
        return (min(times), max(times)) if times else None

    # read -----------------------------------------------------------------------------------------------

    async def slices(self, start_ns: int, stop_ns: int) -> AsyncGenerator[Slice, None]:
        async with contextlib.aclosing(ahead(self._windows(start_ns, stop_ns))) as windows:
            async for begin, end, window in windows:
                for found in window.slices(begin, end):
                    yield found

    async def _windows(self, start_ns: int, stop_ns: int) -> AsyncGenerator[tuple[int, int, Window], None]:
        pace = self._pace
        failures = 0
        while start_ns < stop_ns:
            stop = pace.next(start_ns, stop_ns)
            try:
                found = await self._window(start_ns, stop)
            except TooMany:
                continue
            except Interrupted as error:
                if failures == len(RETRY_SECONDS):
                    raise SourceError(str(error)) from None
                await asyncio.sleep(RETRY_SECONDS[failures])
                failures += 1
                continue
            failures = 0
            pace.saw(found.size)
            yield start_ns, stop, found
            start_ns = stop

    async def _window(self, start_ns: int, stop_ns: int) -> Window:
        found = Window()
        values = await self._tag_values()
        statements = [
            f"SELECT {', '.join(map(quoted, fields.read))} FROM {self._source(measurement)}"
            f" WHERE {condition}time >= {start_ns} AND time < {stop_ns} GROUP BY *"
            for measurement, fields in self._fields.items()
            if fields.read
            for condition in conditions(values.get(measurement, {}))
        ]
        if not statements:
            return found
        last: Mapping[str, Any] = {"partial": True}
        async with contextlib.aclosing(self._documents("; ".join(statements))) as documents:
            async for document in documents:
                for last in document.get("results", ()):
                    for series in last.get("series", ()):
                        self._take(series, found)
                if found.size > self._pace.most and self._pace.too_many():
                    raise TooMany
        # Servers before 1.1 give no number.
        if last.get("partial") or last.get("statement_id", len(statements) - 1) != len(statements) - 1:
            raise self._cut_off()
        return found

    async def _tag_values(self) -> dict[str, dict[str, list[str]]]:
        """Measurement -> tag -> its values; there may be more than at the last question."""
        found: dict[str, dict[str, list[str]]] = {}
        for series in await self._series(f"SHOW TAG VALUES ON {quoted(self._server.database)} WITH KEY =~ /.+/"):
            by_tag = found.setdefault(series["name"], {})
            for tag, value in series["values"]:
                by_tag.setdefault(tag, []).append(value)
        return found

    def _take(self, series: Mapping[str, Any], found: Window) -> None:
        measurement = series["name"]
        # The server gives them in any order.
        tags = {name: value for name, value in sorted(series.get("tags", {}).items()) if value != ""}
        key = (measurement, tuple(tags.items()))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._layout.plan(measurement, tags)
        times, *columns = map(list, zip(*series["values"], strict=True))
        what = series_text(measurement, tags)
        if isinstance(plan, str):
            found.skip(what, plan, times)
            return
        run, stateless = plan.run(times, dict(zip(series["columns"][1:], columns, strict=True)))
        found.skip(what, NO_STATE, stateless)
        found.add(run)


class Interrupted(SourceError):
    """An answer that broke off: asking again may help."""


def series_text(measurement: str, tags: Mapping[str, str]) -> str:
    """A series as the report shows it."""
    return ",".join([measurement, *(f"{name}={value}" for name, value in tags.items())])

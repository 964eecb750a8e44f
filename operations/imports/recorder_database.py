"""The recorder's database: SQLite read-only beside a running Home Assistant, MariaDB or PostgreSQL by an address.

Each question is a short read of its own: a long one would keep SQLite from taking its write-ahead log in, and Home
Assistant's log would grow.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from operations.imports.reading import SECOND, SourceError

LOCKED_SECONDS = 30.0
# Home Assistant's addresses name no driver, or one that needs a compiler; these are the ones of hearthflux[import].
DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mysql+mysqldb": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg2": "postgresql+psycopg",
}
DAMAGED = ("malformed", "not a database", "disk I/O error")


def without_password(address: str) -> str:
    """A SQLAlchemy address as it may be shown."""
    parts = urlsplit(address)
    host = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{host}{parts.path}"


def with_password(address: str, password: str) -> str:
    """The address with this password, where it names a user and no password."""
    parts = urlsplit(address)
    if not password or not parts.username or parts.password:
        return address
    return address.replace(f"{parts.username}@", f"{parts.username}:{quote(password, safe='')}@", 1)


class Database:
    """One connection. `name` is for people and holds no password. Not for several threads at once."""

    def __init__(self, address: str) -> None:
        scheme, separator, rest = address.partition("://")
        self._connection: Any = None
        self._engine: Any = None
        self.dialect = "sqlite"
        if not separator or scheme == "sqlite":
            self.path: Path | None = Path(rest.removeprefix("/") if separator else address)
            self.name = f"the recorder {self.path}"
            return
        self.path = None
        self.dialect = "postgresql" if scheme.startswith("postgres") else "mysql"
        self._address = f"{DRIVERS.get(scheme, scheme)}://{rest}"
        self.name = f"the recorder {without_password(address)}"

    def open(self) -> None:
        """Raises SourceError."""
        if self.path is not None:
            self._open_sqlite(self.path)
        else:
            self._open_server()

    def _open_sqlite(self, path: Path) -> None:
        if not path.is_file():
            raise SourceError(f"There is no file {path}: name Home Assistant's home-assistant_v2.db.")
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=ro",
                uri=True,
                timeout=LOCKED_SECONDS,
                check_same_thread=False,
                isolation_level=None,
            )
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            raise self._problem(error) from None

    def _open_server(self) -> None:
        try:
            import sqlalchemy
        except ImportError:
            raise SourceError("MariaDB and PostgreSQL need SQLAlchemy: pip install 'hearthflux[import]'.") from None
        try:
            self._engine = sqlalchemy.create_engine(self._address)
            self._connection = self._engine.raw_connection()
        except ImportError as error:
            raise SourceError(
                f"The driver for {self.name} is missing ({error}): pip install 'hearthflux[import]'."
            ) from None
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise self._problem(error) from None
        except Exception as error:  # each driver has its own
            raise self._problem(error) from None
        if self.dialect == "mysql":
            self._connection.cursor().execute("SET time_zone = '+00:00'")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._engine is not None:
            self._engine.dispose()

    def _problem(self, error: Exception) -> SourceError:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()
        text = said[0] if said else type(error).__name__
        if any(word in text for word in DAMAGED):
            return SourceError(
                f"{self.name} cannot be read ({text}): it is damaged, or a copy made while Home Assistant wrote. "
                "Stop Home Assistant and copy it with its -wal and -shm files, or name the original."
            )
        if "locked" in text:
            return SourceError(f"{self.name} was locked for {LOCKED_SECONDS:.0f} s: something else holds it.")
        return SourceError(f"{self.name} cannot be read: {text}.")

    def rows(self, query: str, parameters: Sequence[Any] = (), *, at_once: int = 5_000) -> Iterator[Sequence[Any]]:
        """The rows of a query whose parameters are marked `?`. Raises SourceError."""
        cursor = self._connection.cursor()
        try:
            if self.path is None:
                query = query.replace("?", "%s")
            cursor.execute(query, tuple(parameters))
            while rows := cursor.fetchmany(at_once):
                yield from rows
        except Exception as error:
            if isinstance(error, SourceError | GeneratorExit):
                raise
            raise self._problem(error) from None
        finally:
            with contextlib.suppress(Exception):
                cursor.close()
            if self.path is None:
                # Ends the read: the next one sees what was written meanwhile.
                with contextlib.suppress(Exception):
                    self._connection.rollback()

    def tables(self) -> dict[str, frozenset[str]]:
        """Table -> its columns."""
        if self.path is not None:
            names = [row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: frozenset(row[1] for row in self.rows(f'PRAGMA table_info("{name}")')) for name in names}
        schema = "current_schema()" if self.dialect == "postgresql" else "database()"
        found: dict[str, set[str]] = {}
        for table, column in self.rows(
            f"SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = {schema}"
        ):
            found.setdefault(str(table), set()).add(str(column))
        return {table: frozenset(columns) for table, columns in found.items()}

    # times ----------------------------------------------------------------------------------------------

    def moment(self, time_ns: int, seconds: bool) -> Any:
        """A time as the database compares it."""
        if seconds:
            return time_ns / SECOND
        moment = datetime.fromtimestamp(time_ns // 1_000 / 1e6, UTC)
        if self.dialect == "postgresql":
            return moment
        plain = moment.replace(tzinfo=None)
        return plain.strftime("%Y-%m-%d %H:%M:%S.%f") if self.dialect == "sqlite" else plain

    @staticmethod
    def nanoseconds(values: Iterable[Any]) -> list[int | None]:
        """Stored times, to the microsecond; None where there is none."""
        return [round(value * 1e6) * 1_000 if type(value) is float else _nanoseconds(value) for value in values]


def _nanoseconds(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        return round(aware.timestamp() * 1e6) * 1_000
    return round(float(value) * 1e6) * 1_000

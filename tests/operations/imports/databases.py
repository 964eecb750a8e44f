"""A real MariaDB and a real PostgreSQL, each in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from operations.influxd import free_port
from tools.databases import MARIADB, mariadbd, postgresql
from tools.debian import library_path

HOST = "127.0.0.1"


class Server(ABC):
    """Started when made; `address` is SQLAlchemy's, as Home Assistant's `db_url` has it."""

    dialect = ""
    mark = "%s"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        # PostgreSQL does not run as root, and pytest's folders are the user's alone.
        self.folder = Path(tempfile.mkdtemp(prefix="hearthflux-"))
        self._log = folder / f"{self.dialect}.log"
        self._process = self._start()
        self.connection = self._connect()

    @abstractmethod
    def _start(self) -> subprocess.Popen[bytes]: ...

    @abstractmethod
    def _open(self) -> Any: ...

    @property
    @abstractmethod
    def address(self) -> str: ...

    def _connect(self) -> Any:
        end = time.monotonic() + 300
        while True:
            try:
                return self._open()
            except Exception:
                assert self._process.poll() is None, self._log.read_text()[-2000:]
                assert time.monotonic() < end, self._log.read_text()[-2000:]
                time.sleep(0.1)

    def execute(self, query: str, parameters: Sequence[Any] = ()) -> None:
        self.connection.cursor().execute(query, tuple(parameters))

    def stop(self) -> None:
        self.connection.close()
        # PostgreSQL's way to end at once; MariaDB's is SIGTERM.
        self._process.send_signal(signal.SIGINT if self.dialect == "postgresql" else signal.SIGTERM)
        self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


class MariaDB(Server):
    dialect = "mysql"

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [
                    mariadbd(),
                    "--no-defaults",
                    "--skip-grant-tables",
                    f"--datadir={self.folder}",
                    f"--socket={self.folder}/socket",
                    f"--pid-file={self.folder}/pid",
                    f"--port={self.port}",
                    f"--bind-address={HOST}",
                    f"--lc-messages-dir={MARIADB}/usr/share/mysql",
                    "--innodb-buffer-pool-size=16M",
                    "--innodb-log-file-size=8M",
                    "--innodb-flush-log-at-trx-commit=0",
                    *(["--user=root"] if os.geteuid() == 0 else []),
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "LD_LIBRARY_PATH": library_path(MARIADB)},
            )

    def _open(self) -> Any:
        import pymysql

        opened = pymysql.connect(host=HOST, port=self.port, user="root", autocommit=True)
        opened.cursor().execute("CREATE DATABASE homeassistant CHARACTER SET utf8mb4")
        opened.select_db("homeassistant")
        return opened

    @property
    def address(self) -> str:
        return f"mysql://root@{HOST}:{self.port}/homeassistant?charset=utf8mb4"


class PostgreSQL(Server):
    dialect = "postgresql"

    def _start(self) -> subprocess.Popen[bytes]:
        programs = postgresql()
        assert programs is not None
        other: dict[str, Any] = {}
        if os.geteuid() == 0:
            other["user"] = other["group"] = "postgres"
            shutil.chown(self.folder, "postgres", "postgres")
        common: dict[str, Any] = {"stdin": subprocess.DEVNULL, "cwd": self.folder, **other}
        with self._log.open("wb") as log:
            subprocess.run(
                [programs / "initdb", "-D", "data", "-U", "ha", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"],
                check=True,
                stdout=log,
                stderr=log,
                **common,
            )
            settings = ("fsync=off", f"listen_addresses={HOST}", "unix_socket_directories=", "shared_buffers=16MB")
            return subprocess.Popen(
                [
                    programs / "postgres",
                    "-D",
                    "data",
                    "-p",
                    str(self.port),
                    *(part for one in settings for part in ("-c", one)),
                ],
                stdout=log,
                stderr=log,
                **common,
            )

    def _open(self) -> Any:
        import psycopg

        return psycopg.connect(f"host={HOST} port={self.port} user=ha dbname=postgres", autocommit=True)

    @property
    def address(self) -> str:
        return f"postgresql://ha@{HOST}:{self.port}/postgres"


SERVERS: dict[str, Callable[[Path], Server]] = {"mariadb": MariaDB, "postgresql": PostgreSQL}

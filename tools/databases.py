"""MariaDB and PostgreSQL for the tests of `hearthflux import recorder`: the machine's own, or Debian's unpacked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tools.debian import unpack
from tools.find import TOOLS

MARIADB = TOOLS / "mariadb"
POSTGRESQL = TOOLS / "postgresql"
MARIADB_PACKAGES = ("mariadb-server-core", "liburing2", "libaio1")
POSTGRESQL_PACKAGES = ("postgresql-15", "libpq5", "libxml2", "libicu72", "libldap-2.5-0", "libsasl2-2")
SYSTEM_POSTGRESQL = Path("/usr/lib/postgresql")


def mariadbd() -> Path:
    return MARIADB / "usr" / "sbin" / "mariadbd"


def postgresql() -> Path | None:
    """The folder with initdb and postgres, or None."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    for place in (SYSTEM_POSTGRESQL, POSTGRESQL / "usr" / "lib" / "postgresql"):
        for program in sorted(place.glob("*/bin/initdb"), reverse=True):
            return program.parent
    return None


def ensure_mariadb(say: Callable[[str], None]) -> str | None:
    return None if mariadbd().is_file() else unpack(MARIADB_PACKAGES, MARIADB, say)


def ensure_postgresql(say: Callable[[str], None]) -> str | None:
    return None if postgresql() is not None else unpack(POSTGRESQL_PACKAGES, POSTGRESQL, say)

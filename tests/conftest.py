"""What every test may use: a real server for the whole run, and private ones to be mistreated."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operations.influxd import LocalInfluxd

MakeInfluxd = Callable[..., LocalInfluxd]


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalInfluxd]:
    """A running server that all tests share: each test uses buckets with names of its own."""
    server = LocalInfluxd(tmp_path_factory.mktemp("influxd"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def make_influxd(tmp_path: Path) -> Iterator[MakeInfluxd]:
    """Makes servers that only this test uses; they are not started yet, and are ended with the test."""
    made: list[LocalInfluxd] = []

    def make(**arguments: object) -> LocalInfluxd:
        server = LocalInfluxd(tmp_path / f"influxd-{len(made)}", **arguments)  # type: ignore[arg-type]
        made.append(server)
        return server

    yield make
    for server in made:
        with contextlib.suppress(Exception):
            server.kill()


@pytest.fixture
def unique() -> str:
    """A short random name part, so that tests on the shared server do not meet."""
    return secrets.token_hex(4)

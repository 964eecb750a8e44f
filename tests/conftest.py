"""What every test may use: a real server for the whole run, private ones to be mistreated, and a declared home."""

from __future__ import annotations

import contextlib
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from operations.influxd import LocalInfluxd
from operations.pulumi_runner import Stack
from tests.tls import Encrypted, own_certificate, with_tls

# No test passes or fails by how fast the machine is.
hypothesis.settings.register_profile(
    "tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], parent=hypothesis.settings()
)
hypothesis.settings.load_profile("tests")

MakeInfluxd = Callable[..., LocalInfluxd]
HERE = Path(__file__).parent


# A run in the background ignores Ctrl-C, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A worker takes a whole file, whose fixtures its tests share. These take longest, so they start first.
LONGEST = (
    *("operations/test_fleet.py", "writer/test_server_kills.py", "operations/test_stack_commands.py"),
    *("provider/test_life_cycle.py", "operations/test_interrupted_demo.py", "stacks/test_homes.py"),
    *("operations/follow/test_end_to_end.py", "operations/schema/test_migrate.py", "stacks/test_alerts.py"),
    *("provider/test_killed.py", "provider/test_bad_input.py", "operations/health/test_health.py"),
    *("writer/test_crashes.py", "operations/test_tokens.py", "writer/test_full_disk.py"),
    *("operations/storage/test_sizes_on_disk.py", "operations/archive/test_runs.py", "flux_tasks/test_odd_homes.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {HERE / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalInfluxd]:
    """A running server that all tests share: each test uses buckets with names of its own."""
    server = LocalInfluxd(tmp_path_factory.mktemp("influxd"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture(scope="session")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    """A server that speaks TLS only, with a certificate that only its own file vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = own_certificate(folder)
    server = LocalInfluxd(folder / "influxd")
    try:
        token = server.start().token
        yield Encrypted(with_tls(server, certificate, key), token, server.org, certificate)
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


@pytest.fixture(scope="session")
def pulumi_environment(influxd: LocalInfluxd, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pulumi needs to work on the shared server, with a state of this run only."""
    return {
        "INFLUXDB_URL": influxd.url,
        "INFLUXDB_TOKEN": influxd.token,
        "PULUMI_BACKEND_URL": tmp_path_factory.mktemp("pulumi").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "for tests only",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }


@pytest.fixture(scope="session")
def dev_stack(pulumi_environment: dict[str, str]) -> Stack:
    """The project's own stack `dev`, applied to the shared server by a real `pulumi up`."""
    stack = Stack("dev", pulumi_environment)
    stack.ensure()
    stack.up()
    return stack


@pytest.fixture(scope="session")
def home(dev_stack: Stack) -> dict[str, Any]:
    """The outputs of the stack `dev`: url, org, org_id, buckets, writer_token, reader_token, operations_token."""
    return dev_stack.outputs()

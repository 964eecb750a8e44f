"""The command's manners: version, wrong usage, logging as the environment asks."""

from __future__ import annotations

import io
import json
import logging
import time
import tomllib
from pathlib import Path

import pytest

from operations import cli, logs
from operations.cli import COMMANDS
from operations.errors import UserError
from tests.operations.conftest import Run


def test_version_and_help(hearthflux: Run) -> None:
    assert hearthflux("--version").stdout.startswith("hearthflux")
    shown = hearthflux("--help").stdout
    assert all(name in shown for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "word"),
    [
        (("bogus",), {}, 2, "bogus"),
        (("server", "start", "--port", "99999"), {}, 2, "65535"),
        (("server", "status"), {"LOG_LEVEL": "loud"}, 1, "LOG_LEVEL"),
        (("server", "status"), {"LOG_FORMAT": "xml"}, 1, "LOG_FORMAT"),
        (("stack", "preview"), {}, 1, "hearthflux server start"),
        (("env", "--stack", "nowhere"), {}, 1, "nowhere"),
        (("env", "--reader", "--operations"), {}, 2, "choose one"),
    ],
)
def test_mistakes_get_a_sentence(
    hearthflux: Run, arguments: tuple[str, ...], variables: dict[str, str], code: int, word: str
) -> None:
    answer = hearthflux(*arguments, **variables)
    assert answer.returncode == code
    assert word in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "missing", "extra"),
    [
        (("import", "recorder", "x.db"), "sqlalchemy", "import"),
        (("report",), "altair", "operations"),
        ((), "rich", "operations"),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_what_brings_it(
    arguments: tuple[str, ...],
    missing: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(**_: object) -> None:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit, match="1"):
        cli.main(list(arguments))
    told = capsys.readouterr().err
    assert f"needs the package {missing}" in told
    assert f"pip install 'hearthflux[{extra}]'" in told


def test_a_module_of_our_own_that_is_missing_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: object) -> None:
        raise ModuleNotFoundError("No module named 'operations.lost'", name="operations.lost")

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["report"])


def test_the_packages_that_are_ours() -> None:
    project = tomllib.loads((Path(cli.__file__).parents[1] / "pyproject.toml").read_text())
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == cli.OWN_PACKAGES


def test_json_logs_are_one_object_per_line_with_extras() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    logger = logging.Logger("writer")
    logger.addHandler(handler)
    logger.warning("delivery\nwaits", extra={"pending": 3})
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"], told["pending"]) == ("warning", "delivery\nwaits", 3)


def test_a_wrong_level_is_refused() -> None:
    with pytest.raises(UserError, match="LOG_LEVEL"):
        logs.configure({"LOG_LEVEL": "LOUD"})


def stream_of(
    formatter: logging.Formatter, *, limit: logs.RateLimit | None = None
) -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    if limit is not None:
        handler.addFilter(limit.filter)
    logger = logging.Logger("writer")
    logger.addHandler(handler)
    return logger, stream


def test_text_logs_are_one_line_with_extras() -> None:
    logger, stream = stream_of(logs.TextFormatter())
    logger.warning("delivery\nwaits", extra={"pending": 3})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("WARNING writer: delivery\\nwaits pending=3")


def test_an_outage_is_told_at_most_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    logger, stream = stream_of(logs.JsonFormatter(), limit=logs.RateLimit(seconds=60))
    for attempt in range(50):
        logger.warning("no answer, attempt %d", attempt)
    logger.warning("the disk is full")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == [
        "no answer, attempt 0",
        "the disk is full",
    ]
    now += 61
    logger.warning("no answer, attempt %d", 50)
    last = json.loads(stream.getvalue().splitlines()[-1])
    assert (last["message"], last["left_out"]) == ("no answer, attempt 50", 49)

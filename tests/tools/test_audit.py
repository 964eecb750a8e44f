"""An audit that could not be made does not look like one that found nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tools.audit import UNREACHABLE, command, verdict
from tools.find import ROOT

CLEAN: dict[str, Any] = {"name": "jinja2", "version": "3.1.6", "vulns": []}
FLAWED: dict[str, Any] = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
SKIPPED: dict[str, Any] = {"name": "b", "skip_reason": "Dependency not found on PyPI and could not be audited: b (1)"}


@pytest.mark.parametrize(
    ("packages", "well", "told"),
    [
        ([CLEAN], True, "No known vulnerability in 1 packages"),
        ([CLEAN, FLAWED], False, "a 1: PYSEC-1, mended in 2"),
        ([CLEAN, SKIPPED], False, "not looked at: b"),
        ([SKIPPED], False, UNREACHABLE),
        ([], False, UNREACHABLE),
    ],
)
def test_what_is_said(packages: list[dict[str, Any]], well: bool, told: str) -> None:
    found = verdict(json.dumps({"dependencies": packages, "fixes": []}))
    assert found[0] is well
    assert told in found[1]


def test_no_answer_at_all() -> None:
    assert verdict("") == (False, UNREACHABLE)


def test_the_lock_is_what_is_audited() -> None:
    asked = command(ROOT / "requirements.lock")
    assert asked[-1].endswith("requirements.lock")
    assert {"--disable-pip", "--require-hashes"} <= set(asked)

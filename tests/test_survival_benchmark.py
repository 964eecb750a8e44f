"""The survival benchmark counts as it says: nobody's loss is hidden, and nobody is blamed for what he told."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import survival
from benchmarks.survival import Contest, told


def test_lost_is_what_was_taken_and_is_not_there() -> None:
    contest = Contest("a writer", {})
    contest._hear({"calls": [0, 20], "seconds": 0.1})
    contest._hear({"calls": [20, 30], "seconds": 2.5, "error": "refused"})
    contest._hear({"calls": [30, 40], "seconds": 0.2})
    contest._hear({"callback": [3, 4, 99], "error": "too late"})
    contest._hear({"dead_lettered": 1})
    # 3 to 6 are missing: two were told of by a callback, one is a dead letter; 25 raised and is stored all the same.
    result = contest.result(set(range(40)) - {3, 4, 5, 6} - (set(range(20, 30)) - {25}))
    counts = {name: result[name] for name in ("offered", "taken", "stored", "lost", "dead_lettered")}
    assert counts == {"offered": 40, "taken": 30, "stored": 27, "lost": 3, "dead_lettered": 1}
    assert (result["told_by_error"], result["told_by_callback"]) == (9, 2)
    assert (result["longest_call_seconds"], result["first_error"]) == (2.5, "refused")
    assert told(result) == "9 by error, 1 by dead letter, 2 by callback, 1 not told"


def test_a_writer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(survival, "TELEGRAF", tmp_path / "telegraf")
    names, missing = survival.installed()
    assert {"Telegraf", "Telegraf disk buffer"} == missing.keys()
    assert "make telegraf" in missing["Telegraf"]
    assert "hearthflux" in names

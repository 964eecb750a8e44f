"""The schema, the tables and the typed classes say the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import provider
from operations.pulumi_runner import runner_environment
from provider import codegen, schema
from provider.kinds import KINDS
from tests.provider.conftest import Program
from tools import find

COMMITTED = Path(provider.__file__).parent / "schema.json"


def test_the_committed_schema_is_not_stale() -> None:
    """To make it anew: python -m provider.schema > provider/schema.json"""
    assert COMMITTED.read_text() == schema.text()


def test_pulumi_prints_and_accepts_it(program: Program) -> None:
    """As `pulumi package get-schema ./provider/pulumi-resource-influxdb` gives it."""
    answer = subprocess.run(
        [find.pulumi(), "package", "get-schema", str(COMMITTED.parent / "pulumi-resource-influxdb")],
        cwd=program.folder,
        env=runner_environment(program.environment),
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    printed, committed = json.loads(answer.stdout), json.loads(COMMITTED.read_text())
    for part in ("resources", "functions", "types"):
        assert printed[part].keys() == committed[part].keys()
    for token, one in committed["resources"].items():
        assert printed["resources"][token]["inputProperties"].keys() == one["inputProperties"].keys()
        assert printed["resources"][token]["properties"].keys() == one["properties"].keys()


def test_the_typed_classes_are_what_the_tables_say() -> None:
    """To write them anew: python -m provider.codegen"""
    committed = {path.name: path.read_text() for path in codegen.FOLDER.glob("*.py")}
    assert committed == codegen.modules()


def test_every_class_and_lookup_is_exported_with_a_docstring() -> None:
    for kind in KINDS.values():
        for name in codegen.exported(kind):
            assert getattr(provider, name).__doc__, name

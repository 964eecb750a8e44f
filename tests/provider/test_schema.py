"""The schema, the tables and the typed classes say the same."""

from __future__ import annotations

from pathlib import Path

import provider
from provider import codegen, schema
from provider.kinds import KINDS

COMMITTED = Path(provider.__file__).parent / "schema.json"


def test_the_committed_schema_is_not_stale() -> None:
    """To make it anew: python -m provider.schema > provider/schema.json"""
    assert COMMITTED.read_text() == schema.text()


def test_the_typed_classes_are_what_the_tables_say() -> None:
    """To write them anew: python -m provider.codegen"""
    committed = {path.name: path.read_text() for path in codegen.FOLDER.glob("*.py")}
    assert committed == codegen.modules()


def test_every_class_and_lookup_is_exported_with_a_docstring() -> None:
    for kind in KINDS.values():
        for name in codegen.exported(kind):
            assert getattr(provider, name).__doc__, name

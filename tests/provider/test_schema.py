"""The schema, the tables and the typed classes say the same."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import provider
from provider import resources, schema
from provider.kinds import KINDS
from provider.table import inputs_of

COMMITTED = Path(provider.__file__).parent / "schema.json"


def test_the_committed_schema_is_not_stale() -> None:
    """To make it anew: python -m provider.schema > provider/schema.json"""
    assert COMMITTED.read_text() == schema.text()


@pytest.mark.parametrize("token", sorted(KINDS))
def test_a_typed_class_takes_and_gives_what_its_table_says(token: str) -> None:
    kind = KINDS[token]
    typed = getattr(provider, token.rpartition(":")[2])
    parameters = inspect.signature(typed.__init__).parameters
    given = {name for name in parameters if name not in ("self", "resource_name", "opts")}
    assert given == {resources._snake(one.name) for one in inputs_of(kind.table)}
    required = {name for name in given if parameters[name].default is inspect.Parameter.empty}
    assert required == {resources._snake(one.name) for one in kind.table if one.required}
    assert set(typed.__annotations__) == {resources._snake(one.name) for one in kind.table}

"""The page of the contract, and the steps of a migration, one point at a time."""

from __future__ import annotations

from typing import Any

import pytest

from event_schema import Field, Kind, Measurement, Tag
from operations.archive import ArchiveProblem
from operations.schema.check import differences
from operations.schema.facts import BucketFacts, Span, shard_groups
from operations.schema.run import path
from operations.schema.show import page
from operations.schema.steps import (
    AddTag,
    DropEmptyTexts,
    Migration,
    RemoveTag,
    RenameField,
    RetypeField,
    Row,
    Step,
    Tally,
    Unconvertible,
    apply,
    convert,
)
from tools.find import ROOT

POINT: Row = ((5, (("area", "kitchen"),)), {("n", "integer"): 3, ("s", "string"): "x"})


def test_the_page_in_the_docs_is_the_present_one() -> None:
    assert (ROOT / "docs" / "schema.md").read_text() == page(), "hearthflux schema show > docs/schema.md"


@pytest.mark.parametrize(
    ("value", "kind", "made"),
    [
        (3, "float", 3.0),
        (2**53, "float", 2.0**53),
        (-4.0, "integer", -4),
        (True, "float", 1.0),
        (True, "integer", 1),
        (False, "string", "false"),
        (1.5, "string", "1.5"),
        ("1.5", "float", 1.5),
        ("12", "integer", 12),
        ("True", "boolean", True),
        (1.0, "boolean", True),
        (0, "boolean", False),
    ],
)
def test_values_of_another_kind(value: Any, kind: Kind, made: Any) -> None:
    assert convert(value, kind) == made
    assert type(convert(value, kind)) is type(made)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**53 + 1, "float"),
        (1.5, "integer"),
        (1e300, "integer"),
        ("warm", "float"),
        ("nan", "float"),
        ("1.5", "integer"),
        (2, "boolean"),
        ("", "float"),
    ],
)
def test_values_that_have_no_equal(value: Any, kind: Kind) -> None:
    with pytest.raises(Unconvertible):
        convert(value, kind)


@pytest.mark.parametrize(
    ("step", "tags", "fields"),
    [
        (RenameField("n", "m"), {"area": "kitchen"}, {("m", "integer"): 3, ("s", "string"): "x"}),
        (RetypeField("n", "integer", "float"), {"area": "kitchen"}, {("n", "float"): 3.0, ("s", "string"): "x"}),
        (AddTag("floor", "area", {"kitchen": "1"}), {"area": "kitchen", "floor": "1"}, POINT[1]),
        (AddTag("floor", "area", {"attic": "3"}), {"area": "kitchen"}, POINT[1]),
    ],
)
def test_a_step_and_its_way_back(step: Step, tags: dict[str, str], fields: dict[Any, Any]) -> None:
    tally = Tally()
    (((moment, changed_tags), changed_fields),) = apply([step], [POINT], tally)
    assert (moment, dict(changed_tags), changed_fields) == (5, tags, fields)
    assert (tally.points, tally.refused) == (1, 0)
    back = step.inverse()
    assert back is not None
    assert list(apply([back], [((moment, changed_tags), changed_fields)], Tally())) == [POINT]


def test_what_can_not_be_changed_is_counted_with_examples() -> None:
    tally = Tally()
    rows: list[Row] = [((n, ()), {("n", "string"): "warm", ("m", "string"): "y"}) for n in range(9)]
    kept = list(apply([RetypeField("n", "string", "float"), RenameField("n", "m")], rows, tally))
    assert kept == rows
    assert (tally.refused, tally.changed, len(tally.examples)) == (18, 0, 3)
    assert tally.examples[0] == "n 'warm' as float"


def test_a_point_of_empty_texts_only_goes() -> None:
    rows: list[Row] = [((1, ()), {("s", "string"): ""}), ((2, ()), {("s", "string"): "", ("n", "integer"): 1})]
    assert list(apply([DropEmptyTexts()], rows, Tally())) == [((2, ()), {("n", "integer"): 1})]


TWO = Migration(version=2, summary="", steps={"raw": (RenameField("a", "b"),)}, rebuild=("hourly",))
THREE = Migration(version=3, summary="", steps={"raw": (RenameField("b", "c"), AddTag("t", "s", {}))})
FOUR = Migration(version=4, summary="", steps={"raw": (RemoveTag("t"),)})


def test_the_way_from_one_version_to_another() -> None:
    assert path(1, 1, ()).steps == {}
    up = path(1, 3, (TWO, THREE))
    assert up.steps == {"raw": (RenameField("a", "b"), RenameField("b", "c"), AddTag("t", "s", {}))}
    assert up.rebuild == ("hourly",)
    down = path(3, 1, (TWO, THREE))
    assert down.steps == {"raw": (RemoveTag("t"), RenameField("c", "b"), RenameField("b", "a"))}
    with pytest.raises(ArchiveProblem, match=r"no migration to version 3.*knows 2"):
        path(1, 3, (TWO,))
    with pytest.raises(ArchiveProblem, match="version 4 can't be taken back: 'remove the tag t' has no way back"):
        path(4, 3, (FOUR,))


def test_shard_groups_begin_where_the_server_begins_them() -> None:
    """Seven days from Monday to Monday: whole multiples since the year 1."""
    from datetime import UTC, datetime, timedelta

    start = datetime(2026, 11, 24, 5, tzinfo=UTC)
    spans = list(shard_groups(start, start + timedelta(days=7), timedelta(days=7)))
    assert [str(span) for span in spans] == ["2026-11-23 to 2026-11-30", "2026-11-30 to 2026-12-07"]
    assert [len(span.days) for span in spans] == [7, 7]


def test_each_difference_is_a_sentence() -> None:
    from datetime import UTC, datetime

    contract = Measurement(
        name="m",
        tags=(Tag(name="a", description=""),),
        fields=(Field(name="f", kind="float", description=""), Field(name="s", kind="string", description="")),
    )
    span = Span(datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 12, tzinfo=UTC))
    facts = BucketFacts(
        "b",
        measurements=["m", "other"],
        tags=["a", "floor"],
        kinds={"f": {"float", "integer"}, "s": {"string"}, "attribute_x": {"string"}, "who": {"boolean"}},
        where={("f", "integer"): [span, span]},
        empty={"s": 1200},
    )
    told = {one.subject: (one.severity, one.sentence) for one in differences(facts, contract, 1, version=2)}
    assert {name: severity for name, (severity, _) in told.items()} == {
        "version": "wrong",
        "other": "note",
        "floor": "note",
        "who": "note",
        "attribute_x": "wrong",
        "f": "wrong",
        "s": "wrong",
    }
    assert "by schema version 1, not 2: 'hearthflux schema migrate'" in told["version"][1]
    assert "f is stored as integer (2026-10-05 to 2026-10-12 and 1 more shard groups)" in told["f"][1]
    assert "s has 1,200 empty texts" in told["s"][1]
    clean = BucketFacts("b", ["m"], ["a"], {"f": {"float"}})
    assert differences(clean, contract, 1) == []
    assert [one.subject for one in differences(clean, contract, None)] == ["version"]

"""The contract as a page of Markdown, made from the declaration: docs/schema.md is this text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from event_schema import (
    ATTRIBUTE_KINDS,
    DAILY_EVENTS,
    DEFAULT_ATTRIBUTES,
    HOME_ASSISTANT_EVENTS,
    HOURLY_EVENTS,
    SCHEMA_VERSION,
    TIERS,
    Field,
    Measurement,
)

HEAD = """\
# What is stored

Schema version {version}. This page is printed by `hearthflux schema show`, from the declaration in
`event_schema/home_assistant.py`; a test says when it is stale.
"""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join([_row(*head), "|" + "---|" * len(head), *(_row(*row) for row in rows)])


def _days(length: timedelta | None) -> str:
    return "for ever" if length is None else f"{length.days} days"


def _bounds(field: Field) -> str:
    if field.minimum is None and field.maximum is None:
        return ""
    low = "" if field.minimum is None else f"{field.minimum:g}"
    high = "" if field.maximum is None else f"{field.maximum:g}"
    return f"{low} to {high}" if low and high else f"from {low}" if low else f"to {high}"


def measurement_table(measurement: Measurement) -> str:
    """Tags and fields of a measurement."""
    rows = [(f"`{tag.name}`", "tag", "string", "", "", tag.description) for tag in measurement.tags]
    rows += [
        (f"`{one.name}`", "field", one.kind, one.unit, _bounds(one), one.description) for one in measurement.fields
    ]
    return _table(("name", "", "kind", "unit", "range", "meaning"), rows)


def page() -> str:
    """The whole page."""
    tiers = _table(
        ("tier", "bucket", "measurement", "kept", "shard group"),
        [
            (t.name, f"`{t.bucket}`", f"`{t.measurement}`", _days(t.retention), _days(t.shard_group_duration))
            for t in TIERS
        ],
    )
    attributes = _table(
        ("domain", "attributes kept"),
        [(domain, ", ".join(f"`{one}`" for one in names)) for domain, names in DEFAULT_ATTRIBUTES.items()],
    )
    odd = ", ".join(f"`attribute_{name}` is {kind}" for name, kind in ATTRIBUTE_KINDS.items())
    summaries = " and ".join(f"`{one.name}`" for one in (HOURLY_EVENTS, DAILY_EVENTS))
    parts = [
        HEAD.format(version=SCHEMA_VERSION),
        f"## Tiers\n\n{tiers}\n",
        f"## `{HOME_ASSISTANT_EVENTS.name}`\n\n{measurement_table(HOME_ASSISTANT_EVENTS)}\n",
        f"## Attributes\n\nChosen attributes become fields `attribute_<name>`. {odd}; every other is float.\n\n"
        f"{attributes}\n",
        f"## {summaries}\n\nBoth hold the same; docs/summaries.md says what each field means.\n\n"
        f"{measurement_table(HOURLY_EVENTS)}\n",
    ]
    return "\n".join(parts)

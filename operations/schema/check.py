"""A live bucket against the contract: each difference a sentence that says what it is, what it does, what mends it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from event_schema import SCHEMA_VERSION, Kind, Measurement, attribute_kind
from operations.archive.source import HomeServer
from operations.archive.tables import ATTRIBUTE
from operations.schema.facts import BucketFacts, Span, locate, read_facts
from operations.schema.record import read_version

Severity = Literal["wrong", "note"]


@dataclass(frozen=True, slots=True)
class Difference:
    """`wrong` breaks reading or writing; a `note` is only not in the contract."""

    severity: Severity
    subject: str
    sentence: str


def expected_kind(measurement: Measurement, key: str) -> Kind | None:
    """A field's kind by the contract; None for a field that it does not know."""
    for one in measurement.fields:
        if one.name == key:
            return one.kind
    return attribute_kind(key.removeprefix(ATTRIBUTE)) if key.startswith(ATTRIBUTE) else None


def wrong_kinds(facts: BucketFacts, measurement: Measurement) -> dict[str, set[Kind]]:
    """Fields that have another kind than the contract's somewhere, and those kinds."""
    found = {}
    for key, kinds in facts.kinds.items():
        wanted = expected_kind(measurement, key)
        if wanted is not None and kinds - {wanted}:
            found[key] = kinds - {wanted}
    return found


def _spans(spans: list[Span]) -> str:
    return f" ({spans[0]}{f' and {len(spans) - 1} more shard groups' if len(spans) > 1 else ''})" if spans else ""


def differences(
    facts: BucketFacts,
    measurement: Measurement,
    recorded: int | None,
    *,
    version: int = SCHEMA_VERSION,
    beside: Collection[Measurement] = (),
) -> list[Difference]:
    """What is not as the contract says it; `beside` may be in the bucket too. Pure."""
    bucket = facts.bucket
    found: list[Difference] = []
    if recorded is None:
        found.append(
            Difference(
                "note",
                "version",
                f"no schema version is recorded for {bucket}: 'hearthflux schema record' writes it down",
            )
        )
    elif recorded != version:
        way = "'hearthflux schema migrate' brings it there" if recorded < version else "a newer hearthflux is needed"
        found.append(
            Difference("wrong", "version", f"{bucket} was written by schema version {recorded}, not {version}: {way}")
        )
    for name in facts.measurements:
        if name not in {measurement.name, *(one.name for one in beside)}:
            sentence = f"{bucket} also holds the measurement {name!r}, which is not summed up nor archived"
            found.append(Difference("note", name, sentence))
    if measurement.name not in facts.measurements:
        found.append(Difference("note", measurement.name, f"{bucket} has no point of {measurement.name} yet"))
    for tag in facts.tags:
        if tag not in measurement.tag_names:
            sentence = f"the tag {tag!r} is not declared: each of its values makes a series of its own"
            found.append(Difference("note", tag, sentence))
    for key in sorted(facts.kinds):
        if expected_kind(measurement, key) is None:
            shown = " and ".join(sorted(facts.kinds[key]))
            found.append(Difference("note", key, f"the field {key!r} ({shown}) is not declared: nothing reads it"))
    for key, kinds in sorted(wrong_kinds(facts, measurement).items()):
        for kind in sorted(kinds):
            found.append(
                Difference(
                    "wrong",
                    key,
                    f"{key} is stored as {kind}{_spans(facts.where.get((key, kind), []))}, the contract says "
                    f"{expected_kind(measurement, key)}: there the server refuses the writer's points, and Flux drops "
                    "one type of a span that has both; 'hearthflux schema mend --into <a new bucket>' writes all anew",
                )
            )
    for key, count in sorted(facts.empty.items()):
        found.append(
            Difference(
                "wrong",
                key,
                f"{key} has {count:,} empty texts: Flux can read such a series one row too early; "
                "'hearthflux schema mend' leaves them out",
            )
        )
    return found


async def check(
    server: HomeServer,
    bucket_name: str,
    measurement: Measurement,
    operations: str | None,
    *,
    version: int = SCHEMA_VERSION,
    beside: Collection[Measurement] = (),
) -> list[Difference]:
    """Read the bucket and compare it; its version with what the bucket `operations` says, unless None. Raises
    ServerProblem."""
    bucket = await server.bucket(bucket_name)
    facts = await read_facts(server, bucket, measurement.name)
    if wrong := wrong_kinds(facts, measurement):
        await locate(server, bucket, measurement.name, facts, sorted(wrong))
    recorded = version if operations is None else None
    if operations is not None and await server.flux.retentions([operations]):
        found = await read_version(server.flux, bucket_name, where=operations)
        recorded = found.version if found is not None else None
    return differences(facts, measurement, recorded, version=version, beside=beside)

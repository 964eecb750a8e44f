"""The steps that take away what `schema check` finds wrong."""

from __future__ import annotations

from operations.archive.source import HomeServer
from operations.archive.store import Archive
from operations.schema.check import expected_kind, wrong_kinds
from operations.schema.facts import read_facts
from operations.schema.steps import DropEmptyTexts, RetypeField, Step


async def steps_for(server: HomeServer, archive: Archive) -> list[Step]:
    """Empty texts left out, wrong types made right; none where all is well. Raises ServerProblem."""
    measurement = archive.measurement
    facts = await read_facts(server, await server.bucket(archive.bucket), measurement.name)
    steps: list[Step] = [DropEmptyTexts()] if facts.empty else []
    for key, kinds in sorted(wrong_kinds(facts, measurement).items()):
        wanted = expected_kind(measurement, key)
        steps += [RetypeField(key, kind, wanted) for kind in sorted(kinds) if wanted is not None]
    return steps

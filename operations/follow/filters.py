"""Which entities are followed: by name, glob, area and domain; the most particular list that names one decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

KINDS = ("entities", "globs", "areas", "domains")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """One side of the filter, include or exclude."""

    entities: frozenset[str] = frozenset()
    globs: tuple[str, ...] = ()
    areas: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.entities or self.globs or self.areas or self.domains)

    def names(self, kind: str, entity_id: str, area: str | None) -> bool:
        if kind == "entities":
            return entity_id in self.entities
        if kind == "globs":
            return any(fnmatchcase(entity_id, one) for one in self.globs)
        if kind == "areas":
            return area is not None and area in self.areas
        return entity_id.partition(".")[0] in self.domains


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFilter:
    """`follows(entity, area)`: the first kind (entity, glob, area, domain) that names the entity on either side
    decides, exclude before include; an entity that nothing names is followed unless something is included."""

    include: Names = Names()
    exclude: Names = Names()

    def follows(self, entity_id: str, area: str | None = None) -> bool:
        for kind in KINDS:
            if self.exclude.names(kind, entity_id, area):
                return False
            if self.include.names(kind, entity_id, area):
                return True
        return not self.include


def names_of(table: Mapping[str, list[str]]) -> Names:
    """One side of the filter, of lists by kind."""
    return Names(
        entities=frozenset(table.get("entities", ())),
        globs=tuple(table.get("globs", ())),
        areas=frozenset(table.get("areas", ())),
        domains=frozenset(table.get("domains", ())),
    )

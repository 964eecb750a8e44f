"""What a preview would change, property by property: from the engine's events to lines that a reviewer reads.

The events hold `[secret]` in place of every secret, and so do the lines.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = object()
SECRET = "[secret]"
# How the engine's events say "secret" inside a structure, and "known only after up" (pulumi/sdk: resource.go, plugin).
_SECRET_KEY = "4dabf18193072939515e22adb298388d"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# The two halves of a replacement, and what only looks.
_NOT_SHOWN = frozenset({"same", "read", "refresh", "create-replacement", "delete-replaced", "discard", "read-discard"})
_SIGNS = {"create": "+", "import": "+", "delete": "-"}
_IN_SECONDS = frozenset({"retention", "shardGroupDuration"})
DAY_SECONDS = 86_400
# GitHub refuses a comment of more than 65,536 characters.
COMMENT_CHARACTERS = 60_000


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One property, such as `permissions[0].action`; ABSENT where it is not there before or after."""

    path: str
    before: object
    after: object
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource that does not stay as it is. `operation` is create, update, delete, replace or import."""

    operation: str
    kind: str
    name: str
    properties: tuple[PropertyChange, ...]

    def as_json(self) -> dict[str, Any]:
        def shown(one: PropertyChange) -> dict[str, object]:
            sides = {"before": one.before, "after": one.after}
            found = {"path": one.path, **{side: value for side, value in sides.items() if value is not ABSENT}}
            return found | ({"replaces": True} if one.replaces else {})

        return {
            "operation": self.operation,
            "kind": self.kind,
            "name": self.name,
            "properties": [shown(one) for one in self.properties],
        }


def _flat(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf with its path; secrets and what is not known yet as words."""
    if isinstance(value, Mapping):
        if _SECRET_KEY in value:
            yield path, SECRET
            return
        for name, inner in value.items():
            if not str(name).startswith("__"):
                yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{position}]")
    elif value is not None:
        yield path, "<known after up>" if value == _UNKNOWN else value


def _properties(metadata: Mapping[str, Any]) -> tuple[PropertyChange, ...]:
    before, after = (dict(_flat((metadata.get(side) or {}).get("inputs") or {})) for side in ("old", "new"))
    if metadata["op"] == "delete":
        return ()
    replacing = {name for name, one in (metadata.get("detailedDiff") or {}).items() if "replace" in one["diffKind"]}
    found = [
        PropertyChange(
            path, before.get(path, ABSENT), after.get(path, ABSENT), re.split(r"[.\[]", path)[0] in replacing
        )
        for path in dict.fromkeys([*before, *after])
        if before.get(path, ABSENT) != after.get(path, ABSENT)
    ]
    # A secret that changes looks the same on both sides.
    seen = {re.split(r"[.\[]", one.path)[0] for one in found}
    hidden = [
        PropertyChange(path, SECRET, SECRET, path in replacing)
        for path in metadata.get("diffs") or []
        if path not in seen and before.get(path) == SECRET
    ]
    return tuple(found + hidden)


def changes_of(events: Iterable[Mapping[str, Any]]) -> tuple[ResourceChange, ...]:
    """The resources that an operation changes, by name, from the engine's events."""
    found = []
    for event in events:
        metadata = event.get("resourcePreEvent", {}).get("metadata")
        if metadata is None or metadata["op"] in _NOT_SHOWN:
            continue
        kind, name = metadata["urn"].split("::")[-2:]
        if kind.startswith("pulumi:providers:"):
            continue
        found.append(ResourceChange(metadata["op"], kind.rpartition(":")[2], name, _properties(metadata)))
    return tuple(sorted(found, key=lambda one: (one.name, one.kind)))


def _value(path: str, value: object) -> str:
    if path in _IN_SECONDS and isinstance(value, int | float):
        whole, rest = divmod(int(value), DAY_SECONDS)
        return f"{int(value)} ({whole} d)" if whole and not rest else "0 (for ever)" if value == 0 else str(int(value))
    if isinstance(value, str) and "\n" in value:
        return f"({len(value.splitlines())} lines)"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _property_lines(one: PropertyChange) -> Iterator[str]:
    note = "  # forces a replacement" if one.replaces else ""
    if isinstance(one.before, str) and isinstance(one.after, str) and "\n" in one.before + one.after:
        yield f"    {one.path}:{note}"
        parts = difflib.unified_diff(one.before.splitlines(), one.after.splitlines(), lineterm="", n=2)
        for line in list(parts)[2:]:
            yield "@@" if line.startswith("@@") else f"{line[0]}       {line[1:]}"
        return
    if one.before is not ABSENT:
        yield f"-   {one.path}: {_value(one.path, one.before)}{note}"
    if one.after is not ABSENT:
        yield f"+   {one.path}: {_value(one.path, one.after)}{note}"


def _elements(changes: Sequence[PropertyChange]) -> Iterator[PropertyChange]:
    """What comes or goes as a whole element of a list, on one line instead of a line for each of its leaves."""
    for (element, side), group in itertools.groupby(changes, lambda one: (_element(one.path), _only_side(one))):
        members = list(group)
        if element is None or side is None or len(members) == 1:
            yield from members
            continue
        text = ", ".join(f"{one.path[len(element) + 1 :]} {getattr(one, side)}" for one in members)
        before, after = (text, ABSENT) if side == "before" else (ABSENT, text)
        yield PropertyChange(element, before, after, members[0].replaces)


def _element(path: str) -> str | None:
    found = re.match(r"[^.\[]*\[\d+\](?=\.)", path)
    return found[0] if found else None


def _only_side(one: PropertyChange) -> str | None:
    """`before` or `after`, where it is on that side only."""
    if one.before is ABSENT:
        return "after"
    return "before" if one.after is ABSENT else None


def lines(changes: Sequence[ResourceChange]) -> Iterator[str]:
    """A diff as GitHub colours it: `+` and `-` begin what comes and goes, `!` what is changed."""
    for one in changes:
        yield f"{_SIGNS.get(one.operation, '!')} {one.operation} {one.kind} {one.name}"
        for change in _elements(one.properties):
            yield from _property_lines(change)


def headline(stack: str, counts: Mapping[str, int]) -> str:
    """`prod: 2 update, 24 same`, or that nothing changes."""
    changing = {name: count for name, count in sorted(counts.items()) if name != "same"}
    if not changing:
        return f"{stack}: no changes ({counts.get('same', 0)} resources)"
    parts = ", ".join(f"{count} {name}" for name, count in changing.items())
    return f"{stack}: {parts}, {counts.get('same', 0)} same"


def marker(stack: str) -> str:
    """A line that is not shown, by which the next run finds its comment again."""
    return f"<!-- hearthflux preview of {stack} -->"


def markdown(stack: str, counts: Mapping[str, int], changes: Sequence[ResourceChange]) -> str:
    """The diff as a comment of a pull request; what is too long for a comment is cut with a word."""
    text = "\n".join(lines(changes))
    cut = ""
    if len(text) > COMMENT_CHARACTERS:
        kept = text[:COMMENT_CHARACTERS].rpartition("\n")[0]
        cut = f"\n\n{text.count(chr(10)) - kept.count(chr(10))} more lines are in the log of the job."
        text = kept
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    body = f"\n\n{fence}diff\n{text}\n{fence}{cut}" if changes else ""
    return f"{marker(stack)}\n### {headline(stack, counts)}{body}\n"


def failure_markdown(stack: str, reason: str) -> str:
    """The comment of a preview that could not be made."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", reason)), default=0))
    return f"{marker(stack)}\n### {stack}: the preview failed\n\n{fence}\n{reason[:COMMENT_CHARACTERS]}\n{fence}\n"

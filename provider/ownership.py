"""Whose is what is on the server? A mark at the end of the description says it.

A create that was cut off (a timeout, a killed `pulumi up`) may have made something that no state knows. InfluxDB keeps
nothing else that could tell it from what somebody else made, and several names are not unique. So whatever is made
here carries `[pulumi <16 hex digits>]`: a digest of the stack's own random name, of the resource's URN and of how
often it was replaced. The next run finds its own by it and goes on from there; it is not shown in state or diffs.
"""

from __future__ import annotations

import hashlib
import re

_MARK = re.compile(r"\s*\[pulumi [0-9a-f]{16}\]$")


# How many replacements are looked for of what the engine has lost.
_GENERATIONS = 32


class Mark(str):
    """A resource's mark; `earlier` are those of what it replaced, which may still be there.

    `later` are those of its replacements, newest first, for what is made as if for the first time: the engine marks
    the old one as deleted just before it records the new one, so one that is killed between the two has neither.
    """

    earlier: tuple[str, ...]
    later: tuple[str, ...]

    @classmethod
    def of(cls, owner: str, urn: str, generation: int) -> Mark:
        made = cls(mark_of(owner, urn, generation))
        made.earlier = tuple(mark_of(owner, urn, one) for one in range(generation))
        lost = () if generation else range(_GENERATIONS, 0, -1)
        made.later = tuple(mark_of(owner, urn, one) for one in lost)
        return made


def mark_of(owner: str, urn: str, generation: int) -> str:
    """The mark of one resource of one stack; `generation` counts its replacements. Its first half is the stack's."""
    return _digest(owner) + _digest(f"{owner}\n{urn}\n{generation}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def marked(description: str | None, mark: str) -> str:
    """The description as it stands on the server; without a mark as it is."""
    return f"{description or ''} [pulumi {mark}]".lstrip() if mark else description or ""


def unmarked(description: str | None) -> str | None:
    """The description as the program gave it."""
    return _MARK.sub("", description or "") or None


def carries(description: str | None, mark: str) -> bool:
    return bool(mark) and (description or "").endswith(f"[pulumi {mark}]")


def same_stack(description: str | None, mark: str) -> bool:
    """True for what carries the mark of some resource of the same stack."""
    found = _MARK.search(description or "")
    return bool(mark) and found is not None and found[0].split()[-1][:8] == mark[:8]

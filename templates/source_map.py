"""Which line of which template a rendered line comes from.

Jinja keeps line numbers for errors only. So every piece of text and every expression of the parsed template (after
Jinja's whitespace control) gets a mark in front of it that names its place; the marks go through macros, includes and
loops with the text, and are taken out again. Taking them out leaves what the plain template renders, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import nodes

# Private-use characters: they mean nothing in Flux, and no template of ours has them.
_OPEN, _CLOSE = "\ue000", "\ue001"
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


@dataclass(frozen=True, slots=True)
class Script:
    """A rendered script. `source_map` has, for each of its lines, `<template>:<line>` of what was rendered there."""

    text: str
    source_map: tuple[str, ...]


class MarkingEnvironment(jinja2.Environment):
    """An environment whose templates mark what they render with its place; `places` by the mark's number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.places: list[str] = []

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        for output in list(source.find_all(nodes.Output)):
            output.nodes = [piece for node in output.nodes for piece in self._marked(node, name or "template")]
        return super()._generate(source, name, filename, defer_init)

    def _marked(self, node: nodes.Expr, name: str) -> list[nodes.Expr]:
        if not isinstance(node, nodes.TemplateData):
            return [self._mark(name, node.lineno), node]
        pieces: list[nodes.Expr] = []
        for number, line in enumerate(node.data.splitlines(keepends=True)):
            pieces += [
                self._mark(name, node.lineno + number),
                nodes.TemplateData(line, lineno=node.lineno + number, environment=self),
            ]
        return pieces

    def _mark(self, name: str, line: int) -> nodes.TemplateData:
        self.places.append(f"{name}:{line}")
        return nodes.TemplateData(f"{_OPEN}{len(self.places) - 1}{_CLOSE}", lineno=line, environment=self)


def read_marks(marked: str, places: list[str]) -> tuple[str, tuple[str, ...]]:
    """The text without its marks and surrounding whitespace, and the place of each of its lines."""
    pieces = _MARK.split(marked)
    text = "".join(pieces[::2])
    # The place that holds from each position on, in order.
    starts: list[tuple[int, str]] = []
    position = len(pieces[0])
    for number, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        starts.append((position, places[int(number)]))
        position += len(piece)
    begin = len(text) - len(text.lstrip())
    found: list[str] = []
    index, here = 0, ""
    for line in _LINE.findall(text.strip()):
        # The first character that is not a blank decides: what stands before it may end another place's line.
        first = begin + len(line) - len(line.lstrip())
        while index < len(starts) and starts[index][0] <= first:
            here = starts[index][1]
            index += 1
        found.append(here)
        begin += len(line)
    return text.strip(), tuple(found)

"""The page: sections of cards, each with a plot, facts, a table or a list; one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import jinja2

from operations import paths

Mark = Literal["", "good", "bad"]


@dataclass(frozen=True, slots=True)
class Tile:
    figure: str
    unit: str
    text: str
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`secondary` columns (by number) are left out on a phone."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    secondary: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """`plot` is ready HTML (see `svg`), everything else plain text; `facts` are (name, value, mark)."""

    title: str
    note: str = ""
    wide: bool = False
    plot: str = ""
    facts: Sequence[tuple[str, str, Mark]] = ()
    table: Table | None = None
    items: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    title: str
    cards: Sequence[Card]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    title: str
    heading: str
    lead: str
    tiles: Sequence[Tile]
    sections: Sequence[Section]
    footer: str


def html(page: Page) -> str:
    template = files("operations.report").joinpath("page.html.j2").read_text()
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template).render(
        title=page.title,
        heading=page.heading,
        lead=page.lead,
        tiles=page.tiles,
        sections=[section for section in page.sections if section.cards],
        footer=page.footer,
    )


def write(path: Path, page: Page) -> Path:
    """Write the page to `path`, whole or not at all."""
    paths.write_at_once(path, html(page).encode())
    return path

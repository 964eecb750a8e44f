"""Progress for people, on standard error: a bar on a terminal, elsewhere (a log) a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from operations.imports.pacing import Progress
from operations.imports.report import moment

LINE_SECONDS = 10.0


def left(seconds: float | None) -> str:
    """How long it may still take: 40 s left, 12 min left, 3 h 20 min left."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s left"
    return f"{minutes} min left" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min left"


def words(one: Progress) -> str:
    """At which day of the history, how many states a second, how long it may still take."""
    parts = (moment(one.at_ns)[:10], f"{one.per_second:,.0f} states/s", left(one.seconds_left))
    return ", ".join(part for part in parts if part)


class Shown:
    """Call `staged` and `told` on the way. `every`: seconds between two lines."""

    def __init__(self, label: str, console: Console, *, every: float = LINE_SECONDS) -> None:
        self._label = label
        self._console = console
        self._every = every
        self._next = 0.0
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TaskProgressColumn(),
            TextColumn("{task.fields[what]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self.bar.add_task(label, total=1.0, what="")

    def _show(self, done: float, what: str) -> None:
        if self._console.is_terminal:
            self.bar.update(self._task, completed=done, what=what)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            self._console.print(f"{self._label}: {done:.0%}, {what}", soft_wrap=True, highlight=False)

    def staged(self, done: int, total: int) -> None:
        """So many bytes of a file are sorted."""
        self._show(done / max(total, 1), "sorting the file")

    def say(self, sentence: str) -> None:
        self._console.print(sentence, soft_wrap=True, highlight=False, markup=False)

    def told(self, one: Progress) -> None:
        self._show(one.done, words(one))


@contextmanager
def shown(label: str) -> Iterator[Shown]:
    """Shows what it is told until the end."""
    made = Shown(label, Console(stderr=True))
    with made.bar:
        yield made

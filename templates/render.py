"""Templates to Flux. Every value goes through a filter that makes a literal of it, so none can break out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

import jinja2

from templates.source_map import MarkingEnvironment, Script, read_marks

_Environment = TypeVar("_Environment", bound=jinja2.Environment)


class TemplateProblem(Exception):
    """A template can't be rendered; names the template, the line and what is wrong."""


_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "$": "\\x24"})


def flux_string(value: object) -> str:
    """A Flux string literal. `$` is written as \\x24, so that `${...}` is never an interpolation."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    if "\x00" in value:
        raise ValueError("text with a NUL can't stand in a Flux script")
    return f'"{value.translate(_ESCAPES)}"'


def flux_strings(values: Iterable[object]) -> str:
    """A Flux array of strings."""
    return "[" + ", ".join(flux_string(value) for value in values) + "]"


def flux_duration(value: object) -> str:
    """A Flux duration literal of a timedelta: the largest whole unit (1d, 1h, 90s, 5us)."""
    if not isinstance(value, timedelta):
        raise TypeError(f"{value!r} is not a length of time")
    microseconds = value // timedelta(microseconds=1)
    sign = "-" if microseconds < 0 else ""
    left = abs(microseconds)
    for unit, size in (("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)):
        if left % size == 0 and left:
            return f"{sign}{left // size}{unit}"
    return f"{sign}{left}us" if left else "0s"


def flux_time(value: object) -> str:
    """A Flux time literal of an aware datetime, in UTC."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"{value!r} is not a time with a zone")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


_OPTIONS: dict[str, Any] = {"undefined": jinja2.StrictUndefined, "autoescape": False, "keep_trailing_newline": True}


@cache
def _environment() -> jinja2.Environment:
    return _with_filters(jinja2.Environment(loader=jinja2.PackageLoader("templates", "."), **_OPTIONS))


@cache
def _marking_environment() -> MarkingEnvironment:
    return _with_filters(MarkingEnvironment(loader=jinja2.PackageLoader("templates", "."), **_OPTIONS))


def _with_filters(environment: _Environment) -> _Environment:
    for one in (flux_string, flux_strings, flux_duration, flux_time):
        environment.filters[one.__name__] = one
    return environment


def render(template: str, /, *, environment: jinja2.Environment | None = None, **values: Any) -> str:
    """The script of a template such as `downsample/task.flux.j2`. Raises TemplateProblem."""
    return _rendered(environment or _environment(), template, values).strip() + "\n"


def render_script(template: str, /, **values: Any) -> Script:
    """The same with the place in the templates that each line comes from. Raises TemplateProblem."""
    environment = _marking_environment()
    text, source_map = read_marks(_rendered(environment, template, values), environment.places)
    return Script(text + "\n", tuple(f"templates/{place}" for place in source_map))


def _rendered(environment: jinja2.Environment, template: str, values: dict[str, Any]) -> str:
    try:
        return environment.get_template(template).render(**values)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateProblem(f"templates/{error.name}, line {error.lineno}: {error.message}") from None
    except jinja2.TemplateNotFound as error:
        raise TemplateProblem(f"there is no template {error.name}") from None
    except (jinja2.UndefinedError, TypeError, ValueError) as error:
        raise TemplateProblem(f"templates/{_where(error, template)}: {error}") from None


def _where(error: BaseException, template: str) -> str:
    """The innermost template and line of an error: Jinja puts them into the traceback."""
    place = template
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.endswith(".j2"):
            short = name.replace("\\", "/").split("templates/")[-1]
            place = f"{short}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place

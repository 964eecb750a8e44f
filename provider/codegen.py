"""Writes the typed Python classes of `provider/resources/` from the tables: `python -m provider.codegen`.

One module per kind: its class, the types of the objects in its properties, and its lookup. A test fails when what is
committed is not what this writes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill, indent

from provider.kinds import KINDS, ResourceKind
from provider.names import snake
from provider.schema import types_in
from provider.table import Kind, Property, Table, inputs_of, stored

FOLDER = Path(__file__).parent / "resources"
_PYTHON: dict[Kind, str] = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "any": "Any",
    "map": "Mapping[str, Any]",
    "array": "Sequence[Any]",
    "object": "Mapping[str, Any]",
}
_HEAD = '''"""{title}: written by `python -m provider.codegen` from provider/kinds/{module}.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import pulumi

from provider import resource
'''
_DOOR = '''"""The typed classes: written by `python -m provider.codegen`. Each is loaded when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
{imports}

__all__ = {names!r}

_MODULE_OF = {{
{places}
}}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"provider.resources.{{_MODULE_OF[name]}}"), name)
    raise AttributeError(f"module 'provider.resources' has no attribute {{name!r}}")
'''


def class_name(kind: ResourceKind) -> str:
    return kind.token.rpartition(":")[2]


def module_name(kind: ResourceKind) -> str:
    return snake(class_name(kind)).lstrip("_")


def _type(one: Property, wrap: str) -> str:
    """The annotation of a property; `wrap` is what its members are wrapped in, such as pulumi.Input."""
    member = one.type_name if one.fields else _PYTHON[one.items]
    wrapped = f"{wrap}[{member}]" if wrap else member
    if one.kind == "array":
        return f"Sequence[{wrapped}]"
    if one.kind == "map":
        return f"Mapping[str, {wrapped}]"
    return member if one.kind == "object" else _PYTHON[one.kind]


def _documented(one: Property) -> str:
    choices = f" ({', '.join(one.choices)})" if one.choices else ""
    default = "" if one.default is None else f"; {one.default} unless given"
    return f"{one.description}{choices}{default}"


def _docstring(text: str, table: Table = ()) -> str:
    listed = [fill(f"`{snake(one.name)}`: {_documented(one)}.", 112, subsequent_indent="    ") for one in table]
    body = fill(text, 105)
    if not listed:
        return f'"""{body}"""'
    return f'"""{body}\n\n' + "\n".join(listed) + '\n"""'


def _typed_dict(one: Property) -> str:
    lines = [
        f"class {one.type_name}(TypedDict):",
        indent(_docstring(f"{one.description.capitalize()}.", one.fields), "    "),
    ]
    for field in one.fields:
        annotation = f"pulumi.Input[{_type(field, 'pulumi.Input')}]"
        lines.append(f"    {snake(field.name)}: {annotation if field.required else f'NotRequired[{annotation}]'}")
    return "\n".join(lines)


def own_keys(table: Table) -> frozenset[str]:
    """Properties whose keys are the user's own, at any depth."""
    own = frozenset(
        one.name for one in table if one.kind in ("map", "any") or (one.kind == "array" and one.items == "map")
    )
    return own.union(*(own_keys(one.fields) for one in table))


def _class(kind: ResourceKind) -> str:
    inputs, own = inputs_of(kind.table), sorted(own_keys(kind.table))
    lines = [
        f"class {class_name(kind)}(resource.Resource):",
        indent(_docstring(kind.description, inputs), "    "),
        "",
    ]
    if own:
        lines.append(f"    _own = frozenset({own!r})")
    secret = sorted(one.name for one in kind.table if one.secret)
    if secret:
        lines.append(f"    _secret = {tuple(secret)!r}")
    lines += ["", "    def __init__(", "        self,", "        resource_name: str,", "        *,"]
    for one in sorted(inputs, key=lambda one: not one.required):
        annotation = f"pulumi.Input[{_type(one, 'pulumi.Input')}]"
        lines.append(f"        {snake(one.name)}: {annotation}{'' if one.required else ' | None = None'},")
    lines += [
        "        opts: pulumi.ResourceOptions | None = None,",
        "    ) -> None:",
        "        given: dict[str, Any] = {",
    ]
    lines += [f'            "{snake(one.name)}": {"None" if one.computed else snake(one.name)},' for one in kind.table]
    lines += [
        "        }",
        "        super().__init__(",
        f'            "{kind.token}", resource_name, given, opts',
        "        )",
    ]
    for one in stored(kind.table):
        missing = "" if one.always else " | None"
        lines += [
            "",
            "    @property",
            f"    def {snake(one.name)}(self) -> pulumi.Output[{_type(one, '')}{missing}]:",
            indent(_docstring(_documented(one)), "        "),
            f'        return self._output("{one.name}")',
        ]
    return "\n".join(lines)


def _lookup(kind: ResourceKind) -> str:
    name, function = class_name(kind), f"get_{module_name(kind)}"
    shown = [one for one in kind.table if not one.secret and one.name not in kind.only_declared]
    keys = kind.lookup_keys
    fields = "\n".join(f"    {snake(one.name)}: {_type(one, '')}{'' if one.always else ' | None'}" for one in shown)
    own = sorted(own_keys(tuple(shown)))
    parameters = "\n".join(f"    {snake(key)}: {{input}}," for key in keys)
    values = ", ".join(f'"{snake(key)}": {snake(key)}' for key in keys)
    by = " and ".join(f"`{snake(key)}`" for key in keys if key != "id")
    either = "by `id`, or by " if "id" in keys else "by "
    sentence = f"Looks up one {kind.noun} on the server: {either}{by}."
    plain, lifted = "str | None = None", "pulumi.Input[str] | None = None"
    return f'''@dataclass(frozen=True, slots=True, kw_only=True)
class Get{name}Result:
    {_docstring(f"What `{function}` found; its properties are those of `{name}`, without secrets.")}

    id: str
{fields}


def {function}(
    *,
{parameters.format(input=plain)}
    opts: pulumi.InvokeOptions | None = None,
) -> Get{name}Result:
    {_docstring(sentence + " An error where there is none, or more than one.")}
    found = resource.invoke("{kind.lookup_token}", {{{values}}}, _FOUND_OWN, opts)
    return Get{name}Result(**resource.fields_of(Get{name}Result, found))


def {function}_output(
    *,
{parameters.format(input=lifted)}
    opts: pulumi.InvokeOptions | None = None,
) -> pulumi.Output[Get{name}Result]:
    {_docstring(f"`{function}` for arguments that are outputs.")}
    found = resource.invoke_output("{kind.lookup_token}", {{{values}}}, _FOUND_OWN, opts)
    return found.apply(lambda one: Get{name}Result(**resource.fields_of(Get{name}Result, one)))


_FOUND_OWN: frozenset[str] = frozenset({own!r})'''


def module(kind: ResourceKind) -> str:
    parts = [_HEAD.format(title=class_name(kind), module=module_name(kind))]
    parts += [_typed_dict(one) for one in reversed(types_in(kind.table).values())]
    parts.append(_class(kind))
    if kind.lookup_keys:
        parts.append(_lookup(kind))
    return "\n\n\n".join(parts) + "\n"


def exported(kind: ResourceKind) -> Iterator[str]:
    yield class_name(kind)
    yield from types_in(kind.table)
    if kind.lookup_keys:
        yield from (f"Get{class_name(kind)}Result", f"get_{module_name(kind)}", f"get_{module_name(kind)}_output")


def door() -> str:
    imports, places = [], []
    for kind in KINDS.values():
        names = list(exported(kind))
        imports.append(f"    from provider.resources.{module_name(kind)} import {', '.join(names)}")
        places += [(name, module_name(kind)) for name in names]
    return _DOOR.format(
        imports="\n".join(imports),
        names=sorted(name for name, _ in places),
        places="\n".join(f'    "{name}": "{module}",' for name, module in sorted(places)),
    )


def modules() -> dict[str, str]:
    """What belongs into the folder: text by file name."""
    texts = {f"{module_name(kind)}.py": module(kind) for kind in KINDS.values()}
    return {name: _shaped(text) for name, text in {**texts, "__init__.py": door()}.items()}


def _shaped(text: str) -> str:
    """In ruff's shape, without the imports that are not needed."""
    command = [sys.executable, "-m", "ruff"]
    root = Path(__file__).parent.parent
    for arguments in (("check", "--fix", "--select", "F401,I", "--quiet"), ("format",)):
        answer = subprocess.run(
            [*command, *arguments, "--stdin-filename", str(FOLDER / "x.py"), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
        )
        text = answer.stdout
    return text


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    texts = modules()
    for path in FOLDER.glob("*.py"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()

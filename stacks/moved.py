"""Where resources stood before they moved below a Home: their old URNs, so that none is deleted and made anew."""

from __future__ import annotations

import pulumi

from stacks.settings import HomeSettings


def component(home: HomeSettings) -> list[pulumi.Alias]:
    """A component that stood below the stack itself. Only a home without prefix has such a past."""
    return [] if home.prefix else [pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]


def child(kind: str, name: str) -> list[pulumi.Alias]:
    """A child of a component that stood below the stack itself; also when a first `up` was stopped half way."""
    parent = f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::hearthflux:index:{kind}::{name}"
    return [pulumi.Alias(parent=parent)]

"""The organizations of a stack's homes."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from provider import Organization
from stacks import moved
from stacks.settings import StackSettings


def organizations(settings: StackSettings) -> Mapping[str, Organization]:
    """Each organization that a home is in, by its name."""
    return {
        name: Organization(
            "organization" if name == settings.organization else f"organization-{name}",
            name=name,
            description="Home Assistant's history",
            opts=pulumi.ResourceOptions(protect=settings.protect, aliases=moved.child("Storage", "storage")),
        )
        for name in settings.organizations
    }

"""One module per kind of resource: its table, and what is done to it on the server."""

from __future__ import annotations

from provider.kinds.authorization import AuthorizationKind
from provider.kinds.base import ResourceKind
from provider.kinds.bucket import BucketKind
from provider.kinds.organization import OrganizationKind
from provider.kinds.task import TaskKind

KINDS: dict[str, ResourceKind] = {
    kind.token: kind for kind in (OrganizationKind(), BucketKind(), TaskKind(), AuthorizationKind())
}

__all__ = ["KINDS", "ResourceKind"]

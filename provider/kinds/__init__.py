"""One module per kind of resource: its table, and what is done to it on the server."""

from __future__ import annotations

from provider.kinds.authorization import AuthorizationKind
from provider.kinds.base import ResourceKind
from provider.kinds.bucket import BucketKind
from provider.kinds.check import CheckKind
from provider.kinds.dashboard import DashboardKind
from provider.kinds.dbrp import DbrpKind
from provider.kinds.label import LabelKind
from provider.kinds.label_mapping import LabelMappingKind
from provider.kinds.notification_endpoint import NotificationEndpointKind
from provider.kinds.notification_rule import NotificationRuleKind
from provider.kinds.organization import OrganizationKind
from provider.kinds.secret import SecretKind
from provider.kinds.task import TaskKind
from provider.kinds.variable import VariableKind

_ALL: tuple[ResourceKind, ...] = (
    OrganizationKind(),
    BucketKind(),
    TaskKind(),
    AuthorizationKind(),
    CheckKind(),
    NotificationEndpointKind(),
    NotificationRuleKind(),
    LabelKind(),
    LabelMappingKind(),
    DbrpKind(),
    VariableKind(),
    DashboardKind(),
    SecretKind(),
)
KINDS: dict[str, ResourceKind] = {kind.token: kind for kind in _ALL}
# The functions of the plugin: who looks up what.
LOOKUPS: dict[str, ResourceKind] = {kind.lookup_token: kind for kind in _ALL if kind.lookup_keys}

__all__ = ["KINDS", "LOOKUPS", "ResourceKind"]

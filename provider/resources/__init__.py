"""The typed classes: written by `python -m provider.codegen`."""

from __future__ import annotations

from provider.resources.authorization import (
    Authorization,
    GetAuthorizationResult,
    Permission,
    PermissionResource,
    get_authorization,
    get_authorization_output,
)
from provider.resources.bucket import Bucket, GetBucketResult, get_bucket, get_bucket_output
from provider.resources.check import Check, CheckThreshold, GetCheckResult, get_check, get_check_output
from provider.resources.dashboard import (
    Dashboard,
    DashboardCell,
    GetDashboardResult,
    get_dashboard,
    get_dashboard_output,
)
from provider.resources.dbrp import Dbrp, GetDbrpResult, get_dbrp, get_dbrp_output
from provider.resources.label import GetLabelResult, Label, get_label, get_label_output
from provider.resources.label_mapping import LabelMapping
from provider.resources.notification_endpoint import (
    GetNotificationEndpointResult,
    NotificationEndpoint,
    get_notification_endpoint,
    get_notification_endpoint_output,
)
from provider.resources.notification_rule import (
    GetNotificationRuleResult,
    NotificationRule,
    StatusRule,
    TagRule,
    get_notification_rule,
    get_notification_rule_output,
)
from provider.resources.organization import (
    GetOrganizationResult,
    Organization,
    get_organization,
    get_organization_output,
)
from provider.resources.secret import GetSecretResult, Secret, get_secret, get_secret_output
from provider.resources.task import GetTaskResult, Task, get_task, get_task_output
from provider.resources.variable import GetVariableResult, Variable, get_variable, get_variable_output

__all__ = [
    "Authorization",
    "Bucket",
    "Check",
    "CheckThreshold",
    "Dashboard",
    "DashboardCell",
    "Dbrp",
    "GetAuthorizationResult",
    "GetBucketResult",
    "GetCheckResult",
    "GetDashboardResult",
    "GetDbrpResult",
    "GetLabelResult",
    "GetNotificationEndpointResult",
    "GetNotificationRuleResult",
    "GetOrganizationResult",
    "GetSecretResult",
    "GetTaskResult",
    "GetVariableResult",
    "Label",
    "LabelMapping",
    "NotificationEndpoint",
    "NotificationRule",
    "Organization",
    "Permission",
    "PermissionResource",
    "Secret",
    "StatusRule",
    "TagRule",
    "Task",
    "Variable",
    "get_authorization",
    "get_authorization_output",
    "get_bucket",
    "get_bucket_output",
    "get_check",
    "get_check_output",
    "get_dashboard",
    "get_dashboard_output",
    "get_dbrp",
    "get_dbrp_output",
    "get_label",
    "get_label_output",
    "get_notification_endpoint",
    "get_notification_endpoint_output",
    "get_notification_rule",
    "get_notification_rule_output",
    "get_organization",
    "get_organization_output",
    "get_secret",
    "get_secret_output",
    "get_task",
    "get_task_output",
    "get_variable",
    "get_variable_output",
]

"""The typed classes: written by `python -m provider.codegen`. Each is loaded when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULE_OF = {
    "Authorization": "authorization",
    "Bucket": "bucket",
    "Check": "check",
    "CheckThreshold": "check",
    "Dashboard": "dashboard",
    "DashboardCell": "dashboard",
    "Dbrp": "dbrp",
    "GetAuthorizationResult": "authorization",
    "GetBucketResult": "bucket",
    "GetCheckResult": "check",
    "GetDashboardResult": "dashboard",
    "GetDbrpResult": "dbrp",
    "GetLabelResult": "label",
    "GetNotificationEndpointResult": "notification_endpoint",
    "GetNotificationRuleResult": "notification_rule",
    "GetOrganizationResult": "organization",
    "GetSecretResult": "secret",
    "GetTaskResult": "task",
    "GetVariableResult": "variable",
    "Label": "label",
    "LabelMapping": "label_mapping",
    "NotificationEndpoint": "notification_endpoint",
    "NotificationRule": "notification_rule",
    "Organization": "organization",
    "Permission": "authorization",
    "PermissionResource": "authorization",
    "Secret": "secret",
    "StatusRule": "notification_rule",
    "TagRule": "notification_rule",
    "Task": "task",
    "Variable": "variable",
    "get_authorization": "authorization",
    "get_authorization_output": "authorization",
    "get_bucket": "bucket",
    "get_bucket_output": "bucket",
    "get_check": "check",
    "get_check_output": "check",
    "get_dashboard": "dashboard",
    "get_dashboard_output": "dashboard",
    "get_dbrp": "dbrp",
    "get_dbrp_output": "dbrp",
    "get_label": "label",
    "get_label_output": "label",
    "get_notification_endpoint": "notification_endpoint",
    "get_notification_endpoint_output": "notification_endpoint",
    "get_notification_rule": "notification_rule",
    "get_notification_rule_output": "notification_rule",
    "get_organization": "organization",
    "get_organization_output": "organization",
    "get_secret": "secret",
    "get_secret_output": "secret",
    "get_task": "task",
    "get_task_output": "task",
    "get_variable": "variable",
    "get_variable_output": "variable",
}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"provider.resources.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'provider.resources' has no attribute {name!r}")

"""LabelMapping: written by `python -m provider.codegen` from provider/kinds/label_mapping.py."""

from __future__ import annotations

from typing import Any

import pulumi

from provider import resource


class LabelMapping(resource.Resource):
    """A label on a resource. To import one: `<resource type>/<resource id>/<label id>`.

    `resource_type`: what carries the label (buckets, tasks, checks, notificationEndpoints, notificationRules,
        dashboards, variables).
    `resource_id`: the resource's id.
    `label_id`: the label's id.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        resource_type: pulumi.Input[str],
        resource_id: pulumi.Input[str],
        label_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "resource_type": resource_type,
            "resource_id": resource_id,
            "label_id": label_id,
        }
        super().__init__("influxdb:index:LabelMapping", resource_name, given, opts)

    @property
    def resource_type(self) -> pulumi.Output[str]:
        """what carries the label (buckets, tasks, checks, notificationEndpoints, notificationRules, dashboards,
        variables)"""
        return self._output("resourceType")

    @property
    def resource_id(self) -> pulumi.Output[str]:
        """the resource's id"""
        return self._output("resourceId")

    @property
    def label_id(self) -> pulumi.Output[str]:
        """the label's id"""
        return self._output("labelId")

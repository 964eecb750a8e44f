"""Check and diff as the tables decide them: no server, no engine."""

from __future__ import annotations

from typing import Any

import pytest

from provider.kinds import KINDS
from provider.table import Change, check, diff
from provider.values import UNKNOWN

ORG = "0a1b2c3d4e5f6071"
AUTHORIZATION = KINDS["influxdb:index:Authorization"].table
BUCKET = KINDS["influxdb:index:Bucket"].table


def reasons(resource: dict[str, Any]) -> str:
    """What is wrong with a permission to write `resource`."""
    _, failures = check(AUTHORIZATION, {"orgId": ORG, "permissions": [{"action": "write", "resource": resource}]})
    return "; ".join(f"{one.property} {one.reason}" for one in failures)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"type": "buckets", "name": "events"}, "permissions[0].resource.name there is no such property"),
        ({"type": "buckets", "id": ""}, "permissions[0].resource.id is ''"),
        ({"type": "buckets", "id": "events"}, "permissions[0].resource.id is 'events'"),
        ({"type": "buckets", "id": ORG, "orgId": "home"}, "permissions[0].resource.orgId is 'home'"),
        ({"type": "bucket", "id": ORG}, "permissions[0].resource.type is 'bucket'; it has to be one of"),
        ({"id": ORG}, "permissions[0].resource.type is required"),
    ],
)
def test_a_permission_is_never_wider_than_it_was_meant(resource: dict[str, Any], expected: str) -> None:
    assert expected in reasons(resource)


@pytest.mark.parametrize("identifier", [ORG, UNKNOWN])
def test_a_bucket_by_its_id_is_accepted(identifier: Any) -> None:
    assert reasons({"type": "buckets", "id": identifier}) == ""


def test_a_name_where_an_id_belongs_is_said_at_preview() -> None:
    _, failures = check(BUCKET, {"orgId": "home_assistant", "name": "events"})
    assert [(one.property, "16 hexadecimal digits" in one.reason) for one in failures] == [("orgId", True)]
    assert check(BUCKET, {"orgId": UNKNOWN, "name": "events"})[1] == []


@pytest.mark.parametrize(
    ("given", "property_name"),
    [
        ({"retention": "30d"}, "retention"),
        ({"retention": True}, "retention"),
        ({"retention": 1.5}, "retention"),
        ({"colour": "red"}, "colour"),
        ({"name": ""}, "name"),
    ],
)
def test_an_input_that_does_not_fit_is_named(given: dict[str, Any], property_name: str) -> None:
    _, failures = check(BUCKET, {"orgId": ORG, "name": "events", **given})
    assert [one.property for one in failures] == [property_name]


def test_diff_tells_update_from_replacement() -> None:
    old = {"orgId": ORG, "name": "a", "retention": 3600, "description": "x"}
    new = {"orgId": UNKNOWN, "name": "b", "retention": 3600, "shardGroupDuration": 3600}
    assert diff(BUCKET, old, new, frozenset()) == {
        "orgId": Change("update", True),
        "name": Change("update", False),
        "shardGroupDuration": Change("add", False),
        "description": Change("delete", False),
    }
    assert "name" not in diff(BUCKET, old, new, frozenset({"name"}))


def test_an_empty_description_is_no_change_from_none() -> None:
    old = {"orgId": ORG, "name": "a"}
    assert diff(BUCKET, old, {**old, "description": ""}, frozenset()) == {}

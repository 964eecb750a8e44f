"""How a change reads in a pull request: from the engine's events, as pulumi writes them, to lines."""

from __future__ import annotations

from typing import Any

from operations import stack_diff

URN = "urn:pulumi:prod::hearthflux::hearthflux:index:Home$influxdb:index:{kind}::{name}"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def event(op: str, name: str, old: Any = None, new: Any = None, kind: str = "Task", **more: Any) -> dict[str, Any]:
    sides = {side: None if inputs is None else {"inputs": inputs} for side, inputs in (("old", old), ("new", new))}
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": URN.format(kind=kind, name=name), **sides, **more}}}


def shown(*events: dict[str, Any]) -> list[str]:
    return list(stack_diff.lines(stack_diff.changes_of(events)))


def test_a_script_is_shown_by_its_lines_and_a_retention_in_days() -> None:
    before = "option task = {\n    every: 1d,\n}\n\nrows"
    lines = shown(
        event("update", "daily", {"flux": before}, {"flux": before.replace("1d", "2d")}),
        event("update", "events", {"retention": 86400 * 30}, {"retention": 0}, kind="Bucket"),
        event("same", "hourly", {"flux": before}, {"flux": before}),
    )
    assert lines == [
        "! update Task daily",
        "    flux:",
        "@@",
        "        option task = {",
        "-           every: 1d,",
        "+           every: 2d,",
        "        }",
        "        ",
        "! update Bucket events",
        "-   retention: 2592000 (30 d)",
        "+   retention: 0 (for ever)",
    ]


def test_what_is_new_is_listed_and_what_is_not_known_yet_is_said() -> None:
    permission = {"action": "read", "resource": {"id": UNKNOWN, "type": "buckets"}}
    assert shown(event("create", "reader", None, {"permissions": [permission], "status": "active"})) == [
        "+ create Task reader",
        "+   permissions[0]: action read, resource.id <known after up>, resource.type buckets",
        "+   status: active",
    ]
    assert shown(event("delete", "reader", {"status": "active"})) == ["- delete Task reader"]


def test_a_replacement_is_one_change_that_names_what_forces_it() -> None:
    old, new = {"orgId": "a", "name": "x"}, {"orgId": "b", "name": "y"}
    detail = {"orgId": {"diffKind": "update-replace"}, "name": {"diffKind": "update"}}
    steps = ("create-replacement", "replace", "delete-replaced")
    lines = shown(*(event(op, "events", old, new, kind="Bucket", detailedDiff=detail) for op in steps))
    assert lines[0] == "! replace Bucket events"
    assert "+   orgId: b  # forces a replacement" in lines
    assert "+   name: y" in lines


def test_a_secret_that_changes_is_said_and_not_shown() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}
    for hidden in ("[secret]", secret):
        lines = shown(event("update", "e", {"token": hidden}, {"token": hidden}, diffs=["token"]))
        assert lines == ["! update Task e", "-   token: [secret]", "+   token: [secret]"]


def test_providers_are_no_resources_of_a_home() -> None:
    steps = event("create", "default", None, {"version": "1"})
    steps["resourcePreEvent"]["metadata"]["urn"] = "urn:pulumi:prod::hearthflux::pulumi:providers:influxdb::default"
    assert shown(steps) == []


def test_a_comment_holds_any_script_and_fits() -> None:
    fenced = event("update", "a", {"flux": "x\n```\ny"}, {"flux": "x\n```\nz"})
    text = stack_diff.markdown("prod", {"update": 1, "same": 3}, stack_diff.changes_of([fenced]))
    assert text.startswith("<!-- hearthflux preview of prod -->\n### prod: 1 update, 3 same\n\n````diff\n")
    assert text.endswith("\n````\n")
    many = [event("create", f"task-{number:05}", None, {"description": "d" * 80}) for number in range(2000)]
    text = stack_diff.markdown("prod", {"create": 2000}, stack_diff.changes_of(many))
    assert len(text) < 65_536
    assert "more lines are in the log of the job" in text
    assert stack_diff.markdown("dev", {"same": 14}, ()) == (
        "<!-- hearthflux preview of dev -->\n### dev: no changes (14 resources)\n"
    )

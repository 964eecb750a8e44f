"""One home or several in a stack: what is made, under which names, and who may do what with it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from operations.influxd import LocalInfluxd
from stacks.settings import WrongSetting, load
from tests.provider.conftest import Program
from tests.stacks.conftest import Configured

# The layout before a home became a component: the resources stood below the stack itself.
OLD_LAYOUT = """
from flux_tasks.specs import home_tasks

def component(kind):
    return pulumi.ComponentResource(f"hearthflux:index:{{kind}}", kind.lower(), None)

def below(parent, **more):
    return pulumi.ResourceOptions(parent=parent, **more)

storage, summaries, access = component("Storage"), component("Summaries"), component("Access")
org = Organization("organization", name={org!r}, description="Home Assistant's history", opts=below(storage))
buckets = [
    Bucket(name, org_id=org.id, name=name, retention=kept * 86400, shard_group_duration=width * 86400,
           description=f"{{tier}} tier, measurement {{measurement}}", allow_data_loss=False,
           opts=below(storage, protect=True))
    for tier, name, measurement, kept, width in (
        ("raw", "events", "home_assistant_events", 365, 7),
        ("hourly", "events_hourly", "hourly_events", 730, 30),
        ("daily", "events_daily", "daily_events", 2555, 90),
    )
]
for task in home_tasks():
    Task(task.name, org_id=org.id, flux=task.flux, source=task.source, description=task.description,
         opts=below(summaries))
token = Authorization("writer", org_id=org.id, description="writes raw events, nothing else",
              permissions=[{{"action": "write", "resource": {{"type": "buckets", "id": buckets[0].id}}}}],
              opts=below(access))
pulumi.export("org_id", org.id)
pulumi.export("writer_token", token.token)
"""


def names(influxd: LocalInfluxd, org_id: str) -> set[str]:
    found = influxd.api("GET", f"/api/v2/buckets?orgID={org_id}&limit=100")["buckets"]
    return {bucket["name"] for bucket in found if bucket["type"] == "user"}


def write(influxd: LocalInfluxd, home: dict[str, Any], bucket: str) -> int:
    """The status that a home's writer gets for one point in that bucket."""
    request = urllib.request.Request(
        f"{influxd.url}/api/v2/write?orgID={home['org_id']}&bucket={bucket}",
        headers={"Authorization": f"Token {home['writer_token']}"},
        data=b"m f=1",
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_state_of_the_layout_before_homes_is_taken_over(
    program: Program, configured: Configured, unique: str
) -> None:
    program.write(OLD_LAYOUT.format(org=f"org-{unique}"))
    program.up()
    before = program.outputs()

    configured(organization=f"org-{unique}")
    steps = program.steps()
    old = {"organization", "events", "events_hourly", "events_daily", "storage", "summaries", "access", "writer"}
    assert old.isdisjoint(steps), "nothing that was there is touched"
    assert not {"downsample_hourly", "downsample_daily"} & set(steps)
    assert set(steps.values()) == {"create"}
    program.up()
    after = program.outputs()
    assert {name: after[name] for name in before} == before
    assert program.steps() == {}

    # A second home beside the first, whose buckets, tasks and tokens stay what they are.
    configured(organization=f"org-{unique}", homes=[{"name": "first", "prefix": ""}, "second"])
    others = {name: op for name, op in program.steps().items() if not name.startswith("second")}
    assert others == {"first": "create", "home": "delete"}, "the components only, which are nothing on the server"


def test_each_home_has_its_own_buckets_tasks_and_tokens(
    configured: Configured, influxd: LocalInfluxd, unique: str
) -> None:
    homes: list[Any] = [
        "alice",
        {"name": "bob", "timeZone": "Europe/Berlin", "retentionDays": {"raw": 90}, "shardGroupDays": {"raw": 1}},
        {"name": "carol", "organization": f"carol-{unique}", "prefix": ""},
    ]
    program = configured(organization=f"org-{unique}", homes=homes, timeZone="Europe/Amsterdam")
    program.up()
    found = program.outputs()["homes"]
    assert set(found) == {"alice", "bob", "carol"}
    assert found["alice"]["time_zone"] == "Europe/Amsterdam"
    assert found["bob"]["retention_days"]["raw"] == 90
    assert found["alice"]["org_id"] == found["bob"]["org_id"] != found["carol"]["org_id"]
    assert set(found["alice"]["buckets"].values()) | set(found["bob"]["buckets"].values()) <= names(
        influxd, found["alice"]["org_id"]
    )
    assert found["carol"]["buckets"]["raw"] == "events"
    tasks = influxd.api("GET", f"/api/v2/tasks?orgID={found['bob']['org_id']}")["tasks"]
    by_name = {task["name"]: task["flux"] for task in tasks}
    assert 'bucket: "bob_events"' in by_name["bob_downsample_hourly"]
    assert 'bucket: "bob_events_hourly"' in by_name["bob_downsample_daily"]
    assert "Europe/Berlin" in by_name["bob_downsample_daily"]
    assert "Europe/Amsterdam" in by_name["alice_downsample_daily"]

    # Alice's pipeline reaches alice's raw events and nothing of bob's.
    assert write(influxd, found["alice"], "alice_events") == 204
    assert write(influxd, found["alice"], "bob_events") in (403, 404)
    assert program.steps() == {}

    # Another home changes nothing of those that are there; one that is taken out is refused: its data would go.
    configured(organization=f"org-{unique}", homes=[*homes, "dora"], timeZone="Europe/Amsterdam")
    assert all("dora" in name for name in program.steps())
    configured(organization=f"org-{unique}", homes=homes[1:], timeZone="Europe/Amsterdam")
    assert "protect" in program.fails("preview")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"homes": []}, "hearthflux:homes is .*: give a list of homes"),
        ({"homes": "alice"}, "give a list of homes"),
        ({"homes": [{"timeZone": "UTC"}]}, r"homes\[0\] is .*: give a name"),
        ({"homes": ["Alice"]}, r"homes\[0\].name is 'Alice': lower-case letters"),
        ({"homes": ["alice", "alice"]}, "gives the name 'alice' to two homes"),
        ({"homes": [{"name": "a", "prefix": ""}, {"name": "b", "prefix": ""}]}, "gives the prefix '' to two homes"),
        ({"homes": [{"name": "a", "retention": 3}]}, r"homes\[0\] \(a\) has retention: a home has name, prefix"),
        ({"homes": [{"name": "a", "timeZone": "Mars"}]}, r"homes\[0\] \(a\): timeZone is 'Mars': give an IANA name"),
        (
            {"homes": [{"name": "a", "retentionDays": {"raw": "x"}}]},
            r"\(a\): retentionDays.raw is 'x': give whole days",
        ),
        ({"homes": [{"name": "a", "retentionDays": 3}]}, r"\(a\): retentionDays is 3: give a table by raw, hourly"),
        (
            {"homes": [{"name": "a", "allowDataLoss": ["events"]}]},
            r"\(a\): allowDataLoss is \['events'\]: a list of a_",
        ),
        ({"homes": [{"name": "a", "prefix": "A-"}]}, "prefix is 'A-'"),
        ({"retentiondays": {}}, "hearthflux:retentiondays is not a setting: there are organization"),
        ({"protect": "yes"}, "hearthflux:protect is 'yes': true or false"),
        ({"offsetMinutes": {"hourly": "soon"}}, "hearthflux:offsetMinutes.hourly is 'soon': give whole minutes"),
        ({"offsetMinutes": {"hourly": 60}}, "offsetMinutes.hourly is 60: .* shorter than its cadence, .* 60 minutes"),
        ({"offsetMinutes": {"raw": 1}}, "hearthflux:offsetMinutes names raw: the tiers are hourly, daily"),
    ],
)
def test_a_mistake_in_the_homes_is_a_sentence(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongSetting, match=sentence):
        load(config, {})


def test_a_home_decides_before_the_environment_and_the_environment_before_the_stack() -> None:
    config = {"homes": ["a", {"name": "b", "retentionDays": {"raw": 90}}], "retentionDays": {"raw": 60, "hourly": 70}}
    a, b = load(config, {"RAW_DATA_RETENTION_DAYS": "40"}).homes
    assert [home.tiers.raw.retention.days for home in (a, b) if home.tiers.raw.retention] == [40, 90]
    assert [home.tiers.hourly.retention.days for home in (a, b) if home.tiers.hourly.retention] == [70, 70]


def test_data_loss_is_allowed_for_the_named_buckets_only() -> None:
    config = {"homes": ["a", {"name": "b", "allowDataLoss": ["b_events"]}], "allowDataLoss": ["a_events_daily"]}
    a, b = load(config, {}).homes
    assert a.allow_data_loss == frozenset({"a_events_daily"})
    assert b.allow_data_loss == frozenset({"b_events"})


@pytest.mark.parametrize("protect", [False, True])
def test_protect_stands_above_what_is_allowed(configured: Configured, unique: str, protect: bool) -> None:
    """In prod nothing that holds data is deleted or replaced, also not a bucket that may lose data."""
    program = configured(organization=f"org-{unique}", protect=protect, allowDataLoss=["events"])
    answer = program.run("preview", "--json")
    assert answer.returncode == 0, answer.stdout
    states = (step["newState"] for step in json.loads(answer.stdout)["steps"])
    protected = {state["urn"].rpartition("::")[2] for state in states if state.get("protect")}
    always = {"events_hourly", "events_daily"}
    assert protected == (always | {"events", "operations", "organization"} if protect else always)

"""Every kind of resource from its first preview to its end, by the real pulumi on the real server."""

from __future__ import annotations

from typing import Any

from operations.influxd import LocalInfluxd
from tests.provider.conftest import Program

HOME = """
org = Organization("org", name="org-{unique}", description={description!r})
bucket = Bucket("bucket", org_id=org.id, name={bucket!r}, retention={retention}, shard_group_duration={width},
                allow_data_loss={allow})
task = Task("task", org_id=org.id, status={status!r}, flux={flux!r}, source="a.flux.j2")
token = Authorization("token", org_id=org.id, description={description!r},
                      permissions=[{{"action": "write", "resource": {{"type": "buckets", "id": bucket.id,
                                                                    "org_id": org.id}}}}])
for name, value in dict(org=org.id, bucket=bucket.id, task=task.id, every=task.every, token=token.token,
                        authorization=token.id).items():
    pulumi.export(name, value)
"""
FLUX = 'option task = {name: "t", every: 1h, offset: 5m}\n\nfrom(bucket: "b") |> range(start: -1h)'
DAY = 86400


def home(unique: str, **changes: Any) -> str:
    values = {
        "description": "one",
        "bucket": "b",
        "retention": 30 * DAY,
        "width": DAY,
        "allow": False,
        "status": "active",
        "flux": FLUX,
    }
    return HOME.format(unique=unique, **{**values, **changes})


def test_from_first_preview_to_destroy(program: Program, influxd: LocalInfluxd, unique: str) -> None:
    program.write(home(unique))
    assert {name: op for name, op in program.steps().items() if "test" not in name} == dict.fromkeys(
        ("org", "bucket", "task", "token"), "create"
    )
    program.up()
    made = program.outputs()
    stored = influxd.api("GET", f"/api/v2/buckets/{made['bucket']}")
    assert stored["retentionRules"] == [{"type": "expire", "everySeconds": 30 * DAY, "shardGroupDurationSeconds": DAY}]
    assert influxd.api("GET", f"/api/v2/tasks/{made['task']}")["offset"] == "5m"
    permissions = influxd.api("GET", f"/api/v2/authorizations/{made['authorization']}")["permissions"]
    assert [(one["action"], one["resource"]["id"]) for one in permissions] == [("write", made["bucket"])]
    assert program.steps() == {}

    # Every property that the API can change is changed in place, and the ids stay.
    new_flux = FLUX.replace("1h, offset: 5m", "2h, offset: 5m")
    program.write(
        home(unique, description="two", bucket="c", retention=60 * DAY, width=7 * DAY, status="inactive", flux=new_flux)
    )
    changed = program.steps("--diff")
    assert changed == dict.fromkeys(("org", "bucket", "task", "token"), "update")
    program.up()
    after = program.outputs()
    assert {name: after[name] for name in made if name != "every"} == {
        name: made[name] for name in made if name != "every"
    }
    assert after["every"] == "2h"
    stored = influxd.api("GET", f"/api/v2/buckets/{made['bucket']}")
    assert (stored["name"], stored["retentionRules"][0]["shardGroupDurationSeconds"]) == ("c", 7 * DAY)
    assert influxd.api("GET", f"/api/v2/tasks/{made['task']}")["flux"] == new_flux

    # Drift made behind Pulumi's back is found and mended; what is gone is made anew.
    influxd.api("PATCH", f"/api/v2/buckets/{made['bucket']}", {"description": "drifted"})
    influxd.api("DELETE", f"/api/v2/tasks/{made['task']}")
    answer = program.run("refresh", "--yes", "--skip-preview")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert program.steps() == {"bucket": "update", "task": "create"}
    program.up()
    assert program.steps() == {}

    # No secret in any output; deleting what is gone already is fine.
    shown = program.run("preview", "--diff").stdout + program.run("stack", "output").stdout
    assert made["token"] not in shown
    influxd.api("DELETE", f"/api/v2/authorizations/{made['authorization']}")
    answer = program.run("destroy", "--yes", "--skip-preview")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    names = [org["name"] for org in influxd.api("GET", "/api/v2/orgs?limit=100")["orgs"]]
    assert f"org-{unique}" not in names


def test_import_by_id_gives_a_program_without_changes(program: Program, influxd: LocalInfluxd, unique: str) -> None:
    org = influxd.api("POST", "/api/v2/orgs", {"name": f"org-{unique}"})["id"]
    rules = [{"type": "expire", "everySeconds": 30 * DAY, "shardGroupDurationSeconds": DAY}]
    bucket = influxd.api("POST", "/api/v2/buckets", {"orgID": org, "name": "b", "retentionRules": rules})["id"]
    task = influxd.api("POST", "/api/v2/tasks", {"orgID": org, "flux": FLUX, "status": "active"})["id"]

    # A program that would make what is there already is told how to take it over; nothing is doubled.
    program.write(f'Organization("org", name="org-{unique}")\n')
    said = program.fails("up", "--yes", "--skip-preview")
    assert f"pulumi import influxdb:index:Organization <name in the program> {org}" in said

    for kind, name, identifier in (("Organization", "org", org), ("Bucket", "bucket", bucket), ("Task", "task", task)):
        answer = program.run(
            "import", f"influxdb:index:{kind}", name, identifier, "--yes", "--protect=false", "--generate-code=false"
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
    program.write(
        f'Organization("org", name="org-{unique}")\n'
        f'Bucket("bucket", org_id="{org}", name="b", retention={30 * DAY}, shard_group_duration={DAY})\n'
        f'Task("task", org_id="{org}", flux={FLUX!r})\n'
    )
    assert program.steps() == {}


def test_data_are_not_lost_without_a_word(program: Program, influxd: LocalInfluxd, unique: str) -> None:
    program.write(home(unique))
    program.up()
    made = program.outputs()
    influxd.write(made["bucket"], made["org"], "m,a=b f=1,g=2i", age_seconds=20 * DAY)

    program.write(home(unique, retention=8 * DAY))
    said = program.fails("preview")
    assert "would be shortened from 30 d to 8 d, which costs 2 stored values" in said

    # Data within the new retention are not at risk from the change, but a bucket with data is never just dropped.
    said = program.fails("destroy", "--yes", "--skip-preview")
    assert "holds data (2 stored values)" in said
    assert influxd.api("GET", f"/api/v2/buckets/{made['bucket']}")["name"] == "b"

    # What was deleted before the refusal is made again; with the word for this bucket it goes through.
    program.write(home(unique, retention=8 * DAY, allow=True))
    program.up()
    assert influxd.api("GET", f"/api/v2/buckets/{made['bucket']}")["retentionRules"][0]["everySeconds"] == 8 * DAY
    answer = program.run("destroy", "--yes", "--skip-preview")
    assert answer.returncode == 0, answer.stdout + answer.stderr

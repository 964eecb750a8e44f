"""`pulumi up --replace` brings a resource to what is declared, and takes away nothing that is in use."""

from __future__ import annotations

import json

from operations.influxd import LocalInfluxd
from tests.provider.conftest import Program

TEXT = """
org = Organization("org", name="{name}")
Bucket("kept", org_id=org.id, name="kept")
token = Authorization(
    "token", org_id=org.id, permissions=[{{"action": "read", "resource": {{"type": "orgs", "orgId": org.id}}}}]
)
pulumi.export("org_id", org.id)
pulumi.export("token", token.token)
"""


def test_a_forced_replacement_leaves_a_token_that_works_and_a_bucket_with_its_data(
    program: Program, influxd: LocalInfluxd, unique: str
) -> None:
    program.write(TEXT.format(name=f"forced-{unique}"))
    program.up()
    org_id = program.outputs()["org_id"]
    bucket_query = f"/api/v2/buckets?orgID={org_id}&name=kept"
    [bucket] = influxd.api("GET", bucket_query)["buckets"]
    influxd.write(bucket["id"], "probe f=1", org=org_id, age_seconds=60)
    state = json.loads(program.run("stack", "export").stdout)
    urns = {one["urn"].split("::")[-1]: one["urn"] for one in state["deployment"]["resources"]}

    answer = program.run("up", "--yes", "--skip-preview", "--replace", urns["token"], "--replace", urns["kept"])
    assert answer.returncode == 0, answer.stdout + answer.stderr
    tokens = influxd.api("GET", f"/api/v2/authorizations?orgID={org_id}")["authorizations"]
    assert [one["token"] for one in tokens] == [program.outputs()["token"]]
    [still] = influxd.api("GET", bucket_query)["buckets"]
    assert still["id"] == bucket["id"]
    assert program.steps() == {}

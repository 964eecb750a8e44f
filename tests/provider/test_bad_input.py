"""What a user gets wrong is said at preview: what, where, and what would be right."""

from __future__ import annotations

import subprocess

import pytest

from operations.influxd import LocalInfluxd
from tests.provider.conftest import Program


@pytest.mark.parametrize(
    ("program_text", "expected"),
    [
        (
            'Bucket("x", org_id="{org}", name="w", retention=86400, shard_group_duration=604800)',
            "longer than the reten",
        ),
        (
            'Task("x", org_id="{org}", source="t.flux.j2", flux=\'option task = {{name: "t", every: 1h}}\\nrang()\')',
            "t.flux.j2: line 2, column 1 of the script: undefined identifier rang; the line is: rang()",
        ),
        (
            'Task("x", org_id="{org}", source_map=["a.flux.j2:3", "templates/macros/b.flux.j2:17"], '
            "flux='option task = {{name: \"t\", every: 1h}}\\nrang()')",
            "templates/macros/b.flux.j2, line 17: undefined identifier rang; rendered there: rang()",
        ),
        (
            'Authorization("x", org_id="{org}", '
            'permissions=[{{"action": "erase", "resource": {{"type": "buckets"}}}}])',
            "permissions[0].action",
        ),
    ],
)
def test_the_message_says_what_would_be_right(
    program: Program, influxd: LocalInfluxd, program_text: str, expected: str
) -> None:
    program.write(program_text.format(org=influxd.org_id))
    assert expected in program.fails("preview")


def with_variables(program: Program, **variables: str) -> subprocess.CompletedProcess[str]:
    program.environment = {**program.environment, **variables}
    return program.run("preview")


def test_no_server_and_wrong_token_are_a_sentence_each(program: Program) -> None:
    flux = 'option task = {name: "t", every: 1h}'
    program.write(f'Task("task", org_id="0000000000000001", flux={flux!r})\n')
    secret = "a-wrong-token-that-must-not-be-shown"
    answer = with_variables(program, INFLUXDB_TOKEN=secret)
    assert answer.returncode != 0
    assert "is influxdb:token (or INFLUXDB_TOKEN) a token of" in answer.stdout
    assert secret not in answer.stdout + answer.stderr
    answer = with_variables(program, INFLUXDB_URL="http://127.0.0.1:9")
    assert answer.returncode != 0
    assert "No answer from InfluxDB at http://127.0.0.1:9" in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr

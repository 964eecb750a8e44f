"""`hearthflux stack`: the diff of every environment, drift, and a pulumi typed by hand beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operations import pulumi_project
from operations.influxd import LocalInfluxd
from operations.pulumi_runner import PulumiError, Stack, runner_environment
from operations.stack_commands import of_home, variables
from tests.operations.conftest import Run
from tests.provider.conftest import Program, program
from tools import find

__all__ = ["program"]


def test_the_diff_of_every_environment_on_a_fresh_clone(hearthflux: Run, home: Path) -> None:
    """`make preview` where no server is known: what an empty one would get, and nothing is left running."""
    answer = hearthflux("stack", "preview", "--all", "--local", "--diff")
    assert answer.returncode == 0, answer.stderr
    headlines = [line for line in answer.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split(":")[0] for line in headlines] == ["dev", "prod", "staging"]
    assert all(" create, 0 same" in line for line in headlines)
    assert answer.stdout.count("+   retention: 31536000 (365 d)") == 2, "dev and prod"
    assert answer.stdout.count("+   retention: 2592000 (30 d)") == 1, "staging"
    assert answer.stderr.count("its server is not known here") == 3
    assert not (home / "influxdb").exists()


def test_an_environment_without_a_server_is_a_sentence(hearthflux: Run) -> None:
    answer = hearthflux("stack", "up", "--stack", "prod")
    assert answer.returncode == 1
    assert "The server of stack 'prod' is not known here: set INFLUXDB_URL and INFLUXDB_TOKEN" in answer.stderr


@pytest.fixture
def drifted(influxd: LocalInfluxd, dev_stack: Stack) -> Iterator[None]:
    """The stack `dev` with one description changed behind its back."""
    org = dev_stack.outputs()["org_id"]
    [bucket] = influxd.api("GET", f"/api/v2/buckets?orgID={org}&name=events")["buckets"]
    influxd.api("PATCH", f"/api/v2/buckets/{bucket['id']}", {"description": "by hand"})
    yield
    influxd.api("PATCH", f"/api/v2/buckets/{bucket['id']}", {"description": bucket["description"]})


def test_drift_is_found_and_shown(
    hearthflux: Run, pulumi_environment: dict[str, str], dev_stack: Stack, request: pytest.FixtureRequest
) -> None:
    assert hearthflux("stack", "drift", **pulumi_environment).returncode == 0
    request.getfixturevalue("drifted")
    answer = hearthflux("stack", "drift", "--markdown", **pulumi_environment)
    assert answer.returncode == 3
    assert "### dev: 1 update, " in answer.stdout
    assert "! update Bucket events\n-   description: by hand\n+   description: raw tier, measurement" in answer.stdout
    assert "is not as declared" in answer.stderr


def test_a_refused_preview_is_a_comment_too(hearthflux: Run, pulumi_environment: dict[str, str]) -> None:
    answer = hearthflux("stack", "preview", "--markdown", **pulumi_environment, RAW_DATA_RETENTION_DAYS="soon")
    assert answer.returncode == 1
    assert answer.stdout.startswith("<!-- hearthflux preview of dev -->\n### dev: the preview failed")
    assert "RAW_DATA_RETENTION_DAYS is 'soon': give whole days" in answer.stdout


def test_no_secret_is_in_a_diff(program: Program) -> None:
    """The properties of a secret are masked by the engine, and that they change is said."""
    text = 'Organization("org", name="org-x", description=pulumi.Output.secret("hush {}"))\n'
    program.write(text.format("one"))
    log = program.folder / "events.json"
    answer = program.run("preview", "--event-log", str(log))
    assert answer.returncode == 0, answer.stderr
    from operations import stack_diff

    def shown() -> str:
        events = [json.loads(line) for line in log.read_text().splitlines()]
        return "\n".join(stack_diff.lines(stack_diff.changes_of(events)))

    assert "+   description: [secret]" in shown()
    assert "hush" not in shown()


def test_a_pulumi_typed_by_hand_and_hearthflux_beside_it(tmp_path: Path, pulumi_environment: dict[str, str]) -> None:
    """`pulumi stack init` writes a salt for its own passphrase into the configuration; hearthflux has another one."""
    project = tmp_path / "checkout"
    shutil.copytree(find.ROOT / "stacks", project / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(find.ROOT / "Pulumi.yaml", project)
    (project / "provider").symlink_to(find.ROOT / "provider")
    (tmp_path / "state").mkdir()
    by_hand = {
        **pulumi_environment,
        "PULUMI_BACKEND_URL": (tmp_path / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "typed by hand",
    }
    for arguments in (("stack", "init", "dev"), ("preview", "--stack", "dev")):
        answer = subprocess.run(
            [find.pulumi(), *arguments, "--non-interactive", "--color", "never"],
            cwd=project,
            env=runner_environment(by_hand),
            capture_output=True,
            text=True,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
    configuration = (project / "stacks" / "Pulumi.dev.yaml").read_text()
    assert "encryptionsalt" in configuration

    (tmp_path / "other").mkdir()
    own = {**by_hand, "PULUMI_BACKEND_URL": (tmp_path / "other").as_uri(), "PULUMI_CONFIG_PASSPHRASE": "another"}
    stack = Stack("dev", own, configuration)
    stack.ensure()
    assert stack.preview().changed > 0
    # What can't be read without its own passphrase says so in one sentence.
    secret = "config:\n  influxdb:token:\n    secure: v1:AAAA:BBBB\n" + configuration.partition("config:\n")[2]
    with pytest.raises(
        PulumiError, match=r"secrets in stacks/Pulumi\.dev\.yaml were encrypted with another passphrase"
    ):
        Stack("dev", own, secret).preview()


def test_a_state_of_another_passphrase_is_a_sentence(dev_stack: Stack) -> None:
    other = Stack("dev", {**dev_stack.environment, "PULUMI_CONFIG_PASSPHRASE": "another"})
    with pytest.raises(PulumiError, match="state of stack 'dev' was encrypted with another passphrase: set PULUMI_"):
        other.preview()


def test_what_a_pulumi_typed_by_hand_needs_is_printed(hearthflux: Run, home: Path) -> None:
    shown = hearthflux("stack", "shell", "--stack", "prod", INFLUXDB_URL="http://s", INFLUXDB_TOKEN="t")
    assert shown.returncode == 0, shown.stderr
    exported = dict(line.removeprefix("export ").split("=", 1) for line in shown.stdout.splitlines())
    assert exported["PULUMI_BACKEND_URL"] == (home / "pulumi").as_uri()
    assert Path(exported["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_text().strip()
    assert "INFLUXDB_TOKEN" not in exported, "what is set already is not repeated"
    assert "quick_pip" not in exported["PYTHONPATH"], "a person's pip is pip"


def test_what_is_encrypted_keeps_its_salt() -> None:
    plain = "encryptionsalt: v1:x\nconfig:\n  a:b: c\n"
    encrypted = "config:\n  a:b:\n    secure: v1:y\nencryptionsalt: v1:x\n"
    assert pulumi_project.without_foreign_salt(plain) == "config:\n  a:b: c\n"
    assert pulumi_project.without_foreign_salt(encrypted) == encrypted
    assert "secure" not in pulumi_project.without_server("config:\n  influxdb:token:\n    secure: v1:y\n  a:b: 1\n")


def test_the_variables_of_one_home_of_several() -> None:
    one: dict[str, Any] = {"org": "o", "buckets": {"raw": "a_events"}, "writer_token": "t", "bucket_prefix": "a_"}
    outputs = {"url": "http://x", "homes": {"a": one, "b": {**one, "bucket_prefix": "b_"}}}
    assert variables(of_home(outputs, "a"))["HOME_BUCKET_PREFIX"] == "a_"
    with pytest.raises(Exception, match=r"several homes: choose one with --home. There are a, b\."):
        of_home(outputs)
    with pytest.raises(Exception, match="has no home 'c'"):
        of_home(outputs, "c")
    with pytest.raises(Exception, match="a single home: leave out --home a"):
        of_home(one, "a")


def test_what_a_bucket_holds_is_said_where_it_would_be_deleted(
    tmp_path: Path, pulumi_environment: dict[str, str], influxd: LocalInfluxd, unique: str
) -> None:
    own = {**pulumi_environment, "PULUMI_BACKEND_URL": tmp_path.as_uri()}
    settings = f"config:\n  hearthflux:organization: held-{unique}\n  hearthflux:homes: "
    both = Stack("dev", own, f"{settings}[ann, ben]\n")
    both.ensure()
    both.up()
    org_id = both.outputs()["homes"]["ben"]["org_id"]
    [bucket] = influxd.api("GET", f"/api/v2/buckets?orgID={org_id}&name=ben_events")["buckets"]
    influxd.write(bucket["id"], "probe f=1,g=2", org=org_id, age_seconds=60)
    with pytest.raises(PulumiError, match=r"'ben_events' holds 2 stored values.*allowDataLoss") as refused:
        Stack("dev", own, f"{settings}[ann]\n").preview()
    assert pulumi_environment["INFLUXDB_TOKEN"] not in str(refused.value)

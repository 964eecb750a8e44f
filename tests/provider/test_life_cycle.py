"""Every kind of resource from its first preview to its end, by the real pulumi on the real server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from operations.influxd import LocalInfluxd
from provider.api import Api
from provider.kinds import KINDS
from provider.names import camel
from provider.table import check, inputs_of, stored
from tests.provider.conftest import Program
from tests.provider.lives import Life, lives, text

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


def declared(all_lives: dict[str, Life], *stages: str) -> dict[str, dict[str, Any]]:
    """The properties of each resource after the stages (`changed`, `replaced`) that it has gone through."""
    given = {name: dict(life.start) for name, life in all_lives.items()}
    for stage in stages:
        for name, life in all_lives.items():
            given[name] |= getattr(life, stage)
    return {name: {key: value for key, value in one.items() if value is not None} for name, one in given.items()}


def write(program: Program, all_lives: dict[str, Life], given: dict[str, dict[str, Any]]) -> None:
    # A resource stands after those that it names.
    order = sorted(all_lives, key=lambda name: RANK.index(all_lives[name].kind))
    order.sort(key=lambda name: not name.startswith("other"))
    order.sort(key=lambda name: RANK.index(all_lives[name].kind))
    lines = [text(name, all_lives[name], given[name]) for name in order]
    program.write("".join(lines) + "".join(f"pulumi.export({name!r}, {name}.id)\n" for name in order))


# What follows from a change: a default of the new type, and properties that the new type does not have.
EXTRA = {
    "turned": {"reportZero"},
    "hook": set[str](),
}
# Of those that are replaced: what the other new properties need beside them.
REPLACED_WITH: dict[str, dict[str, Any]] = {}
RANK = (
    *("Organization", "Bucket", "Task", "Label", "LabelMapping", "Authorization", "Dbrp", "Check"),
    *("NotificationEndpoint", "NotificationRule", "Variable", "Dashboard", "Secret"),
)


async def on_server(
    api: Api, all_lives: dict[str, Life], given: dict[str, dict[str, Any]], ids: dict[str, str]
) -> None:
    """Every property that the program gives is so on the server."""
    for name, life in all_lives.items():
        kind, inputs = life.on_server, life.inputs(given[name], ids)
        state = await kind.read(api, ids[name], inputs)
        assert state is not None, name
        filled, _ = check(kind.table, inputs)
        shown = {key: state.get(key) for key in filled if key not in kind.transient}
        wanted = {key: value for key, value in filled.items() if key in shown}
        assert shown == wanted, name


def plain_names(properties: Mapping[str, Any]) -> set[str]:
    return {camel(name) for name in properties}


def imported(program: Program, all_lives: dict[str, Life], ids: dict[str, str]) -> None:
    """The same program in a stack that took everything over by its id has nothing to change."""
    other = program.beside("imported")
    given = declared(all_lives)
    # Only a program has this: with it the token would be a new one.
    del given["token"]["rotation"]
    write(other, all_lives, given)
    wanted = [
        {
            "type": life.on_server.token,
            "name": name,
            "id": f"{ids['org']}/{ids[name]}" if life.kind == "Dbrp" else ids[name],
        }
        for name, life in all_lives.items()
    ]
    (other.folder / "wanted.json").write_text(json.dumps({"resources": wanted}))
    answer = other.run("import", "--file", "wanted.json", "--yes", "--protect=false", "--generate-code=false")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    steps = other.details()
    # The server never tells a secret: the first `up` sets it.
    assert {name: set(step["detailedDiff"]) for name, step in steps.items()} == {
        "pager": {"routingKey"},
        "secret": {"value"},
    }


def test_no_property_is_forgotten() -> None:
    """Every property of every kind is changed or replaced in the life cycle below."""
    touched: dict[str, set[str]] = {token: set() for token in KINDS}
    for life in lives("x").values():
        touched[life.on_server.token] |= plain_names(life.changed) | plain_names(life.replaced)
        if life.replaced:
            replacing = {one.name for one in life.on_server.table if one.replaces}
            assert plain_names(life.replaced) <= replacing
    untested = {"allowDataLoss"}
    assert touched == {
        token: {one.name for one in stored(inputs_of(kind.table))} - untested for token, kind in KINDS.items()
    }


async def test_every_kind_from_first_preview_to_destroy(
    program: Program, influxd: LocalInfluxd, api: Api, unique: str
) -> None:
    all_lives = lives(unique)
    every = set(all_lives)
    given = declared(all_lives)
    write(program, all_lives, given)
    stack = {f"{program.name}-test"}

    # Nothing is there: every id is unknown at preview.
    assert program.steps() == dict.fromkeys(every | stack, "create")
    program.up()
    ids = program.outputs()
    await on_server(api, all_lives, given, ids)
    assert program.steps() == {}

    imported(program, all_lives, ids)

    # Each property that the API can change is changed in place: the preview says which, and the ids stay.
    given = declared(all_lives, "changed")
    write(program, all_lives, given)
    steps = program.details()
    assert {name: step["op"] for name, step in steps.items() if name in every} == {
        name: "update" for name, life in all_lives.items() if life.changed
    }
    for name, step in steps.items():
        assert set(step["detailedDiff"]) == plain_names(all_lives[name].changed) | EXTRA.get(name, set()), name
    program.up()
    assert program.outputs() == ids
    await on_server(api, all_lives, given, ids)
    assert program.steps() == {}

    # Drift made behind Pulumi's back is found and mended; what is gone is made anew.
    gone = {"mapping", "secret", "board", "rule_elsewhere", "threshold", "choice"}
    for name, life in all_lives.items():
        kind, inputs = life.on_server, life.inputs(given[name], ids)
        if name in gone:
            await kind.delete(api, ids[name], inputs)
        elif life.drift is not None:
            method, below, body = life.drift
            await api.call(method, f"{kind.path}/{ids[name]}{below.format(org_id=ids['org'])}", body)
    refreshed = program.run("refresh", "--yes", "--skip-preview")
    assert refreshed.returncode == 0, refreshed.stdout + refreshed.stderr
    steps = program.details()
    assert {name: step["op"] for name, step in steps.items()} == dict.fromkeys(gone, "create") | {
        name: "update" for name, life in all_lives.items() if life.drift and name not in gone
    }
    for name in steps.keys() - gone:
        assert set(steps[name]["detailedDiff"]) == {all_lives[name].drifted}, name
    program.up()
    ids = program.outputs()
    await on_server(api, all_lives, given, ids)
    assert program.steps() == {}

    async def token_now() -> str:
        return str((await api.call("GET", f"/api/v2/authorizations/{ids['token']}"))["token"])

    tokens = {await token_now()}

    # What the API can't change makes a new resource, and the preview says because of what.
    given = declared(all_lives, "changed", "replaced")
    for name in every - {"other_org"}:
        if all_lives[name].replaced:
            given[name] = dict(all_lives[name].start) | dict(all_lives[name].replaced) | REPLACED_WITH.get(name, {})
    write(program, all_lives, given)
    steps = program.details()
    for name, life in all_lives.items():
        if life.replaced:
            assert steps[name]["op"] == "replace", name
            assert set(steps[name]["replaceReasons"]) == plain_names(life.replaced), name
    said = program.up().stdout
    ids = program.outputs()
    tokens.add(await token_now())
    # Who uses a token has the new one before the old one goes.
    assert said.index("Authorization token created replacement") < said.index("Authorization token deleting original")
    await on_server(api, all_lives, given, ids)
    assert program.steps() == {}

    # Some is gone already when all is deleted.
    for name in ("task", "token", "slack", "deadman", "constant", "other_label", "dbrp"):
        await all_lives[name].on_server.delete(api, ids[name], all_lives[name].inputs(given[name], ids))
    answer = program.run("destroy", "--yes", "--skip-preview")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for name, life in all_lives.items():
        assert await life.on_server.read(api, ids[name], life.inputs(given[name], ids)) is None, name

    # No secret in anything that pulumi printed, diffs and all, nor in the state.
    everything = "".join(program.printed) + "".join(path.read_text() for path in program.state_files())
    assert "hidden-" not in everything
    assert len(tokens) == 2
    assert not [token for token in tokens if token in everything]


def test_data_are_not_lost_without_a_word(program: Program, influxd: LocalInfluxd, unique: str) -> None:
    program.write(home(unique))
    program.up()
    made = program.outputs()
    influxd.write(made["bucket"], "m,a=b f=1,g=2i", org=made["org"], age_seconds=20 * DAY)

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

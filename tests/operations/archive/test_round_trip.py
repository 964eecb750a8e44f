"""A month archived, wiped and restored is the same month: every point, nanosecond, type and text."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from event_schema import HOURLY_EVENTS
from operations.archive import export, restore, verify
from operations.archive.manifest import start_ns
from operations.archive.tables import points
from tests.operations.archive.conftest import ArchivedHome, lines_of

MONTH = [date(2026, 10, 1) + timedelta(days=number) for number in range(31)]


async def test_a_restored_month_is_equal_row_by_row(home: ArchivedHome, tmp_path: Path) -> None:
    for day in MONTH:
        home.write(lines_of(day))
    before = home.rows()
    assert len(before) > 31 * 24 * 4
    async with home.connected() as server:
        report = await export(server, home.archive(), MONTH)
        assert report.failed == {}
        assert (report.exported, report.kept) == (31, [])
        assert await verify(home.archive(), MONTH, server=server) == []
        home.wipe()
        assert home.rows() == []
        restored = await restore(server, home.archive(), MONTH, spool=tmp_path / "spool.sqlite")
        assert (restored.restored, restored.failed, restored.left_out) == (31, {}, 0)
        assert home.rows() == before
        assert await verify(home.archive(), MONTH, server=server) == []
        again = await restore(server, home.archive(), MONTH, spool=tmp_path / "spool.sqlite", again=True)
        assert (again.restored, again.there) == (31, 0)
        assert home.rows() == before
        once_more = await restore(server, home.archive(), MONTH, spool=tmp_path / "spool.sqlite")
        assert (once_more.restored, once_more.there, once_more.rows) == (0, 31, 0)


async def test_what_a_file_holds(home: ArchivedHome, some_days: list[date]) -> None:
    """Anybody's Parquet reader finds typed columns: the declared ones always, attributes where there are some."""
    async with home.connected() as server:
        await export(server, home.archive(), some_days[:1])
    archive = home.archive()
    manifest = archive.manifests()[some_days[0]]
    table = pq.read_table(home.folder / archive.file(manifest))
    assert manifest.rows == table.num_rows == 28
    types = dict(zip(table.schema.names, table.schema.types, strict=True))
    assert types["time"] == pa.timestamp("ns", tz="UTC")
    assert types["weather_pressure"] == pa.float64()
    assert types["duration_seconds"] == pa.int64()
    assert types["time_of_day"] == types["unit_of_measurement"] == types["attribute_hvac_action"] == pa.string()
    assert types["attribute_is_volume_muted"] == pa.bool_()
    assert table["time"].cast(pa.int64()).to_pylist() == sorted(table["time"].cast(pa.int64()).to_pylist())
    assert manifest.values["normalized_value"] == 26
    assert sum(manifest.values.values()) == sum(len(fields) for _, fields in points(table, archive.columns(manifest)))


async def test_slices_do_not_change_a_file(home: ArchivedHome, some_days: list[date], tmp_path: Path) -> None:
    """However small the slices of a day are, its file holds the same, with a column that only a late slice brings."""
    day = some_days[0]
    late = start_ns(day) + 86_000 * 10**9
    home.write([f"home_assistant_events,entity_id=a.b,floor=2 attribute_late=1,stranger=2i {late}"])
    tables = []
    for folder, most in (("whole", 10**6), ("sliced", 40)):
        home.folder = tmp_path / folder
        async with home.connected() as server:
            report = await export(server, home.archive(), [day], slice_values=most)
        assert report.failed == {}
        archive = home.archive()
        with pq.ParquetFile(home.folder / archive.file(archive.manifests()[day])) as file:
            assert (file.num_row_groups > 3) == (folder == "sliced")
            tables.append(file.read())
    assert tables[0].equals(tables[1])
    assert tables[0]["stranger:integer"].drop_null().to_pylist() == [2]
    assert tables[0]["floor"].drop_null().to_pylist() == ["2"]


async def test_a_summary_tier_is_archived_the_same_way(home: ArchivedHome, tmp_path: Path) -> None:
    day = date(2026, 10, 3)
    start = start_ns(day)
    home.write(
        [
            f"hourly_events,entity_id=sensor.a,domain=sensor avg_value={hour}.25,event_count={hour}i "
            f"{start + hour * 3600 * 10**9}"
            for hour in range(24)
        ]
    )
    before = home.rows()
    archive = home.archive(HOURLY_EVENTS)
    async with home.connected() as server:
        assert (await export(server, archive, [day])).exported == 1
        home.wipe()
        assert (await restore(server, archive, [day], spool=tmp_path / "spool.sqlite")).ok
    assert home.rows() == before


async def test_two_types_of_a_field_in_two_shards_come_back_as_they_were(home: ArchivedHome, tmp_path: Path) -> None:
    """InfluxDB keeps a field's type by shard: what was an integer last month may be a float today."""
    days = [date(2026, 10, 1), date(2026, 10, 20)]
    for day, value in zip(days, ("3i", "3.5"), strict=True):
        home.write([f'home_assistant_events,entity_id=a.b duration_seconds={value},state_value="x" {start_ns(day)}'])
    before = home.rows()
    async with home.connected() as server:
        report = await export(server, home.archive(), days)
        assert (report.exported, report.failed) == (2, {})
        home.wipe()
        restored = await restore(server, home.archive(), days, spool=tmp_path / "spool.sqlite")
    assert restored.failed == {}
    assert home.rows() == before


async def test_an_empty_text_is_archived_but_not_written_again(home: ArchivedHome, tmp_path: Path) -> None:
    day = date(2026, 10, 3)
    home.write(
        [
            f'home_assistant_events,entity_id=a.b state_value="" {start_ns(day)}',
            f'home_assistant_events,entity_id=a.b state_value="",normalized_value=1 {start_ns(day) + 1}',
        ]
    )
    async with home.connected() as server:
        assert (await export(server, home.archive(), [day])).ok
        assert home.archive().manifests()[day].values == {"state_value": 2, "normalized_value": 1}
        home.wipe()
        report = await restore(server, home.archive(), [day], spool=tmp_path / "spool.sqlite")
    assert (report.ok, report.left_out) == (True, 2)
    assert [row[-1] for row in home.rows()] == ["1"]


@pytest.mark.parametrize("address", ["memory://{}", "dir"])
async def test_targets_that_are_not_a_local_folder(home: ArchivedHome, some_days: list[date], address: str) -> None:
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.local import LocalFileSystem

    archive = home.archive()
    if address == "dir":
        # A file system that is neither local nor an object store: by a partial name and a move.
        home.folder.mkdir()
        archive.target.fs, archive.target.root = DirFileSystem(str(home.folder), LocalFileSystem()), "x"
        archive.target.local, archive.target.protocols = False, frozenset({"dir"})
    else:
        archive = home.archive(target=type(archive.target)(address.format(home.bucket)))
    async with home.connected() as server:
        assert (await export(server, archive, some_days)).exported == 4
        assert await verify(archive, some_days, server=server) == []
        home.write([f"home_assistant_events,entity_id=late.one normalized_value=1 {start_ns(some_days[1])}"])
        archive._known = None
        assert (await export(server, archive, some_days)).again == 1
    names = archive.target.names(archive.bucket, "")
    assert len(names) == 8
    assert not [name for name in names if "partial" in name]


async def test_series_that_differ_in_the_order_of_their_tags_are_one(home: ArchivedHome, tmp_path: Path) -> None:
    """Flux's `to` takes tags in the order of the columns: the server then has two series of the same tags."""
    day = date(2026, 10, 3)
    for tags, field in ((("domain", "entity_id"), "avg_value"), (("entity_id", "domain"), "min_value")):
        made = "".join(f' |> duplicate(column: "the_{tag}", as: "{tag}")' for tag in tags)
        home.flux(
            'import "array"\n'
            f'array.from(rows: [{{_time: {day}T01:00:00Z, _measurement: "hourly_events", _field: "{field}",'
            f' _value: 1.5, the_domain: "sensor", the_entity_id: "sensor.x"}}]){made}'
            ' |> drop(columns: ["the_domain", "the_entity_id"])'
            f' |> to(bucket: "{home.bucket}", tagColumns: ["domain", "entity_id"])'
        )
    archive = home.archive(HOURLY_EVENTS)
    async with home.connected() as server:
        assert (await export(server, archive, [day])).exported == 1
        assert archive.manifests()[day].rows == 2
        assert archive.manifests()[day].values == {"avg_value": 1, "min_value": 1}
        assert await verify(archive, [day], server=server) == []
        home.wipe()
        assert (await restore(server, archive, [day], spool=tmp_path / "spool.sqlite")).ok
        assert await verify(archive, [day], server=server) == []
    assert len(home.rows()) == 2

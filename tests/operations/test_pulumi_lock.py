"""What a killed pulumi leaves in its folder is cleared away, and nothing else."""

from __future__ import annotations

from pathlib import Path

from operations.pulumi_lock import drop_empty_attributes


def test_only_empty_attributes_of_a_folder_go(tmp_path: Path) -> None:
    stacks = tmp_path / "with space" / ".pulumi" / "stacks" / "hearthflux"
    stacks.mkdir(parents=True)
    for name, text in (("a.json.attrs", ""), ("b.json.attrs", "{}"), ("a.json", ""), ("b.json", "{}")):
        (stacks / name).write_text(text)
    drop_empty_attributes((tmp_path / "with space").as_uri())
    drop_empty_attributes("s3://somewhere")
    assert sorted(path.name for path in stacks.iterdir()) == ["a.json", "b.json", "b.json.attrs"]

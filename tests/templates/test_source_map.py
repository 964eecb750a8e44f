"""Each line of a rendered script knows the line of the template that it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

import templates
from flux_tasks.specs import Downsample, downsamples
from templates.render import render, render_script

SPECS = [*downsamples(), downsamples(time_zone="Europe/Amsterdam")[1]]
ROOT = Path(templates.__file__).parent.parent


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.name}-{spec.time_zone}")
def test_every_line_is_found_in_its_template(spec: Downsample) -> None:
    script = render_script("downsample/task.flux.j2", spec=spec)
    assert script.text == render("downsample/task.flux.j2", spec=spec), "the marks leave no trace"
    rendered = script.text.splitlines()
    assert len(rendered) == len(script.source_map)
    compared = 0
    for line, place in zip(rendered, script.source_map, strict=True):
        file, _, number = place.rpartition(":")
        written = (ROOT / file).read_text().splitlines()[int(number) - 1]
        # A line with an expression renders to something else; what stands before it stays.
        if line.strip() and not written.lstrip().startswith("{"):
            before = written.partition("{{")[0].partition("{%")[0].strip()
            assert line.strip().startswith(before), place
            compared += 1
    assert compared > len(rendered) / 2
    assert {place.rpartition(":")[0] for place in script.source_map} >= {
        "templates/downsample/task.flux.j2",
        "templates/macros/summary.flux.j2",
    }, "lines of a macro are those of the file that has the macro"

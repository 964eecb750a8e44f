"""Typed task specs -> Flux scripts; which windows are due; backfill and repair.

from flux_tasks import home_tasks, FluxTask
for task in home_tasks(tiers=TIERS, time_zone="Europe/Amsterdam"):
    task.name, task.flux, task.source, task.description

from flux_tasks import SummaryServer, backfill, repair
async with SummaryServer.from_env() as server:
    report = await backfill(server, start, stop, progress=lambda done, total: ...)
"""

from flux_tasks.backfill import Report, backfill, repair
from flux_tasks.server import ServerProblem, SummaryServer
from flux_tasks.specs import Aggregate, Downsample, FluxTask, downsamples, home_tasks
from flux_tasks.totals import wrong_windows
from flux_tasks.windows import Window, windows_between
from templates.render import TemplateProblem, render

__all__ = [
    "Aggregate",
    "Downsample",
    "FluxTask",
    "Report",
    "ServerProblem",
    "SummaryServer",
    "TemplateProblem",
    "Window",
    "backfill",
    "downsamples",
    "home_tasks",
    "render",
    "repair",
    "windows_between",
    "wrong_windows",
]

"""The demo's page: the report of a home, with what became of every event and where the data are from."""

from __future__ import annotations

from collections.abc import Mapping

from operations.demo.dataset import ATTRIBUTION
from operations.report import home_sections
from operations.report.build import Report, page
from operations.report.page import Card, Page, Section


def _delivery(summary: Mapping[str, int]) -> Card:
    return Card(
        title="Was anything lost?",
        note="What the writer accepted, and where it is now.",
        facts=[
            ("accepted", f"{summary['accepted']:,}", ""),
            (
                "delivered, counted by the server",
                f"{summary['delivered']:,}",
                "good" if summary["delivered"] == summary["accepted"] else "bad",
            ),
            ("dead letters", f"{summary['dead_lettered']:,}", ""),
            ("dropped", f"{summary['dropped']:,}", ""),
            ("pending", f"{summary['pending']:,}", ""),
            ("changes in pulumi preview", f"{summary['preview_changes']:,}", ""),
        ],
    )


def demo_page(report: Report, summary: Mapping[str, int]) -> Page:
    home = report.home
    span = home_sections.span(home)
    days = (span[1] - span[0]).days + 1 if span else 0
    shown = f"{span[0]:%-d %B %Y} to {span[1]:%-d %B %Y}" if span else "no data"
    return page(
        report,
        heading=f"{days} days of a home",
        lead=(
            f"{home.flows.entities} entities, {shown}. Every figure below is read from the {summary['hourly_rows']:,} "
            f"hourly and {summary['daily_rows']:,} daily summaries in InfluxDB; hours are UTC. The data are from "
            "January to May 2016, moved by whole weeks to end now."
        ),
        more=[Section("delivery", "Delivery", [_delivery(summary)])],
        footer=f"Data: {ATTRIBUTION}.",
    )

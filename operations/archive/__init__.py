"""Whole days of a bucket as Parquet files, so that nothing expires that was meant to be kept.

    <target>/<bucket>/v<schema version>/<measurement>/<year>/<day>.parquet     the points, by time and tags
    <target>/<bucket>/v<schema version>/<measurement>/<year>/<day>.json        the manifest: counts, checksum, columns

A day is archived when its manifest is there; the manifest names its file, and is written after it. Both come under
their names at once or not at all. See docs/archive.md.
"""

from operations.archive.export import ExportReport, export
from operations.archive.manifest import ArchiveProblem, Manifest
from operations.archive.plan import at_risk
from operations.archive.restore import RestoreReport, restore
from operations.archive.source import HomeServer
from operations.archive.status import expiring
from operations.archive.store import Archive
from operations.archive.verify import Finding, verify

__all__ = [
    "Archive",
    "ArchiveProblem",
    "ExportReport",
    "Finding",
    "HomeServer",
    "Manifest",
    "RestoreReport",
    "at_risk",
    "expiring",
    "export",
    "restore",
    "verify",
]

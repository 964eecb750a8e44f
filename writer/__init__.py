"""Events in: validate, encode, spool, deliver. Nothing is lost, and importing this loads no HTTP client."""

from event_schema import Event, InvalidEvent
from writer.acceptance import WriterClosed
from writer.batch_writer import BatchWriter
from writer.settings import SettingsError, WriterSettings
from writer.spool import SpoolError
from writer.stats import FlushReport, Health, Stats

__all__ = [
    "BatchWriter",
    "Event",
    "FlushReport",
    "Health",
    "InvalidEvent",
    "SettingsError",
    "SpoolError",
    "Stats",
    "WriterClosed",
    "WriterSettings",
]

"""Summaries out: hourly and daily rows of an entity, typed.

from reader import ReaderSettings, SummaryReader
async with SummaryReader(ReaderSettings.from_env()) as reader:
    rows = await reader.query_hourly_summaries("sensor.kitchen_temperature", "1d")     # 24 rows
    rows = await reader.query_daily_summaries("sensor.kitchen_temperature", "30d")     # 30 rows
"""

from influxdb_connection import ServerProblem as ReaderError
from reader.periods import InvalidQuery, parse_duration
from reader.rows import SummaryRow, to_pandas, to_polars
from reader.settings import ReaderSettings
from reader.summary_reader import SummaryReader

__all__ = [
    "InvalidQuery",
    "ReaderError",
    "ReaderSettings",
    "SummaryReader",
    "SummaryRow",
    "parse_duration",
    "to_pandas",
    "to_polars",
]

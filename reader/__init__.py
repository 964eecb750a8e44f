"""The home's history out: hours to years of an entity, patterns in them, questions to the whole home; typed rows.

from reader import ReaderSettings, SummaryReader
async with SummaryReader(ReaderSettings.from_env()) as reader:
    rows = await reader.query_hourly_summaries("sensor.kitchen_temperature", "1d")     # 24 rows
    rows = await reader.query_daily_summaries("sensor.kitchen_temperature", "30d")     # 30 rows
    rows = await reader.query_monthly_summaries("sensor.kitchen_temperature", "1y")    # 12 rows
"""

from influxdb_connection import ServerProblem as ReaderError
from reader.changers import ChangeRow
from reader.metrics import ReaderCollector
from reader.patterns import AnomalyRow, ComparisonRow, DegreeDayRow, ProfileRow
from reader.periods import InvalidQuery, parse_duration
from reader.rows import SummaryRow, to_pandas, to_polars
from reader.settings import ReaderSettings
from reader.stats import QueryRecord, ReaderStats
from reader.summary_reader import SummaryReader
from reader.whole_home import EnergyRow

__all__ = [
    "AnomalyRow",
    "ChangeRow",
    "ComparisonRow",
    "DegreeDayRow",
    "EnergyRow",
    "InvalidQuery",
    "ProfileRow",
    "QueryRecord",
    "ReaderCollector",
    "ReaderError",
    "ReaderSettings",
    "ReaderStats",
    "SummaryReader",
    "SummaryRow",
    "parse_duration",
    "to_pandas",
    "to_polars",
]

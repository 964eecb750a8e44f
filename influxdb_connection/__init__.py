"""How the parts that ask InfluxDB something reach it: settings, one connection, its errors as sentences.

from influxdb_connection import Connection, ConnectionSettings
async with Connection(ConnectionSettings.from_env()) as connection:
    rows = await connection.rows('from(bucket: "events") |> range(start: -1h)')

Imports nothing of ours; reader and flux_tasks stand on it. Importing it loads no HTTP client.
"""

from influxdb_connection.annotated_csv import QueryFailed, parse
from influxdb_connection.connection import Connection
from influxdb_connection.errors import ServerProblem, WrongConnection
from influxdb_connection.settings import ConnectionSettings, Token

__all__ = ["Connection", "ConnectionSettings", "QueryFailed", "ServerProblem", "Token", "WrongConnection", "parse"]

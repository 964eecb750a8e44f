"""The migrations of the contract, oldest first: one for each time SCHEMA_VERSION was raised."""

from __future__ import annotations

from operations.schema.steps import Migration

MIGRATIONS: tuple[Migration, ...] = ()

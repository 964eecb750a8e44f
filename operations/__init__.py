"""The `hearthflux` command: demo, local server, health, storage report, backfill, repair, archive, replay."""

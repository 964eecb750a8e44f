from tests.operations.archive.conftest import command, home, some_days, today

__all__ = ["command", "home", "some_days", "today"]

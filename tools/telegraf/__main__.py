"""`python -m tools.telegraf`, for `make telegraf`."""

from __future__ import annotations

import sys

from tools import telegraf
from tools.build import BuildFailed

if __name__ == "__main__":
    try:
        problem = telegraf.ensure()
    except BuildFailed as failure:
        problem = str(failure)
    sys.exit(problem)

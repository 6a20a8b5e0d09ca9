from __future__ import annotations

import sys
from pathlib import Path

# The synthetic report and the reader of pages live beside the tests of the report.
sys.path.append(str(Path(__file__).parents[1] / "report"))

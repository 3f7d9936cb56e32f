"""Tests of the package: `python3 -m unittest discover -s sdk/python -t sdk/python`."""

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME / "src"))

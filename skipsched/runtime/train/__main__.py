"""`python -m skipsched.runtime.train`."""

from __future__ import annotations

import sys

from skipsched.runtime.train.command import run

sys.exit(run())

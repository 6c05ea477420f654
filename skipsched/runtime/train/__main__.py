"""`python -m skipsched.runtime.train`."""

from __future__ import annotations

import os
import sys

from skipsched.runtime.train.command import run

code = run()
if code != 0:
    # Not by `sys.exit`, after which a pipeline that broke ends the process with a code of its own.
    sys.stderr.flush()
    os._exit(code)

"""`python -m skipsched` is `skipsched`."""

from __future__ import annotations

from skipsched_cli.main import main

main()

"""Exit codes, the same for every command."""

from __future__ import annotations

#: The answer is yes: a schedule written, a file valid.
YES = 0
#: The answer is no: infeasible, a rule broken.
NO = 1
#: Bad usage or bad input.
BAD_INPUT = 2
#: No schedule found within the limits.
NOTHING_FOUND = 3
#: A bug of the program: its own schedule failed its own checker.
INTERNAL_ERROR = 70
#: Interrupted before any schedule.
INTERRUPTED = 130
#: The reader of standard output went away.
BROKEN_PIPE = 141

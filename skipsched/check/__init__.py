"""The checker: every rule and every figure of a schedule again, with a replay of its own.

It shares with the solver the topology and its integer tables, nothing else.
"""

from skipsched.check.checker import check_schedule
from skipsched.check.violation import RULES, Violation

__all__ = ["RULES", "Violation", "check_schedule"]

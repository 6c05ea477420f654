"""Why a topology is infeasible: rules and numbers in conflict, and the smallest change that ends it.

Everything a user may set and that bears on feasibility is a `Member`. Leaving one out has one exact meaning
(`Kind`), so that "these conflict" and "without this one the others agree" are questions with a proof.
"""

from skipsched.conflict.change import Change, applied
from skipsched.conflict.explain import Cause, explain
from skipsched.conflict.member import Kind, Member

__all__ = ["Cause", "Change", "Kind", "Member", "applied", "explain"]

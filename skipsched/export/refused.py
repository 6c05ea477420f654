"""What a format's reader cannot express."""

from __future__ import annotations

from collections.abc import Sequence

from skipsched.text.diagnostics import Diagnostic


class NotExpressible(Exception):
    """A format cannot express a schedule, however right it is.

    Attributes
    ----------
    diagnostics
        All that stands against it; each hint says what to set in the topology for a schedule without it.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(found.format() for found in self.diagnostics))


def reason(rule: str, message: str, hint: str) -> Diagnostic:
    """One thing that a format cannot express."""
    return Diagnostic("error", rule, "", message, hint=hint)

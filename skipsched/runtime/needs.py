"""What the runtime needs beyond the rest of the program."""

from __future__ import annotations

from importlib.util import find_spec

from skipsched.text.diagnostics import Diagnostic, InputError

#: What is said where PyTorch is missing.
NEEDS_TORCH = "the runtime needs PyTorch, the extra `torch` of skipsched: pip install 'skipsched[torch]'"


def refuse_without_torch() -> None:
    """Refuse to go on where PyTorch is missing.

    Raises
    ------
    InputError
        If it is.
    """
    if find_spec("torch") is None:
        raise InputError([Diagnostic("error", "runtime", "", NEEDS_TORCH)])

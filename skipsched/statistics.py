"""What a solve did: its phases, its neighbourhoods, and each better schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from skipsched.instance import MICROSECONDS


@dataclass(slots=True)
class Phase:
    """What one phase did: wall seconds, and the number of better schedules."""

    seconds: float = 0.0
    better: int = 0


@dataclass(slots=True)
class Neighbourhood:
    """What one neighbourhood did.

    Parameters
    ----------
    tried
        How often it was searched.
    accepted
        How often that led to a schedule with which the search went on.
    gained
        Microseconds by which it bettered the best schedule of whoever searched, in all.
    seconds
        Wall seconds, of all threads together.
    """

    tried: int = 0
    accepted: int = 0
    gained: int = 0
    seconds: float = 0.0

    def add(self, tried: int, accepted: int, gained: int, seconds: float) -> None:
        """Count some more."""
        self.tried += tried
        self.accepted += accepted
        self.gained += gained
        self.seconds += seconds


@dataclass(slots=True)
class Statistics:
    """What a solve did.

    Parameters
    ----------
    phases
        By name.
    neighbourhoods
        By name.
    incumbents
        Wall seconds and iteration time (microseconds) of each better schedule.
    has_waited
        Whether a part of the search had to be compiled first, which happens once after installation.
    """

    phases: dict[str, Phase] = field(default_factory=dict)
    neighbourhoods: dict[str, Neighbourhood] = field(default_factory=dict)
    incumbents: list[tuple[float, int]] = field(default_factory=list)
    has_waited: bool = False

    def document(self) -> dict[str, Any]:
        """For machines: all times are integers in microseconds."""
        return {
            "phases": {
                name: {"time": _microseconds(done.seconds), "better": done.better}
                for name, done in self.phases.items()
            },
            "neighbourhoods": {
                name: {
                    "tried": done.tried,
                    "accepted": done.accepted,
                    "gained": done.gained,
                    "time": _microseconds(done.seconds),
                }
                for name, done in self.neighbourhoods.items()
            },
            "incumbents": [
                {"after": _microseconds(after), "iteration_time": time} for after, time in self.incumbents
            ],
        }

    @property
    def first_schedule_at(self) -> float | None:
        """Wall seconds until the first schedule stood."""
        return self.incumbents[0][0] if self.incumbents else None


def _microseconds(seconds: float) -> int:
    return round(seconds * MICROSECONDS)

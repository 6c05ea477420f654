"""Starting one process for each node on this machine, through torch's own elastic launcher."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from skipsched.runtime.pipeline import SCHEDULE_VARIABLE
from skipsched.runtime.program import Programs
from skipsched.runtime.watch import NodeLost
from skipsched.runtime.world import first_line
from skipsched.schedule import Schedule

#: Seconds that processes have to end when they are told to.
_GRACE = 10
#: What a shell adds to a signal's number to make an exit code of it.
_BY_SIGNAL = 128


class LaunchFailed(RuntimeError):
    """Torch's launcher itself failed; the message says how."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The node whose process failed first.

    Parameters
    ----------
    node, rank
        The node, and the rank of its process.
    exit_code
        That of its process, as a shell gives it: 128 and the signal's number if one ended it.
    how
        How it ended.
    """

    node: str
    rank: int
    exit_code: int
    how: str


def launch(schedule: Schedule, program: Sequence[str]) -> Failure | None:
    """Run a program in one process for each node, in the order of the topology, to its end.

    Each process has the environment that torchrun sets, and `SKIPSCHED_SCHEDULE`, the file of the schedule.
    If one fails, the others are ended.

    Parameters
    ----------
    schedule
        The schedule.
    program
        The program's words.

    Returns
    -------
    Failure or None
        None if all ended well.

    Raises
    ------
    InputError
        If the schedule is not valid; nothing is started then.
    LaunchFailed
        If torch's launcher cannot start them.
    KeyboardInterrupt
        If this process is told to end; the others are told so, too.
    """
    nodes = Programs.of(schedule).nodes
    _silence()
    with tempfile.TemporaryDirectory(prefix="skipsched-") as folder:
        path = Path(folder) / "schedule.json"
        schedule.write(path)
        os.environ[SCHEDULE_VARIABLE] = str(path)
        # Without it every process would take all cores for itself.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // len(nodes))))
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=len(nodes),
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",  # a free port
            local_addr="127.0.0.1",  # nothing that a resolver of names has to know
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=str(Path(folder) / "logs")),
            shutdown_timeout=_GRACE,
        )
        first, *rest = program
        try:
            # Torch's launcher takes `$` in arguments for the beginning of a name of its own.
            elastic_launch(config, first)(*(word.replace("$", "$$") for word in rest))
        except ChildFailedError as error:
            return _first(error.failures, nodes)
        except SignalException:
            raise KeyboardInterrupt from None
        except (RuntimeError, OSError, RendezvousError) as error:
            raise LaunchFailed(f"torch's launcher failed: {first_line(error)}") from None
    return None


def _silence() -> None:
    """Let torch's launcher not tell in its own words, with tracebacks, what is told here."""
    logger = logging.getLogger("torch.distributed.elastic")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def _first(failures: Mapping[int, ProcessFailure], nodes: Sequence[str]) -> Failure:
    """The failure that the others followed from."""
    # They come in the order in which they were found; the last are processes that were ended because of them.
    rank = next(iter(failures))
    said = _said(failures[rank])
    if said is not None:
        # It ended because of another one, and says of which.
        named = (r for r, node in enumerate(nodes) if said.startswith(f"node {node} "))
        rank = next((r for r in named if r in failures), rank)
    code = failures[rank].exitcode
    how = f"ended with exit code {code}"
    if code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
        code = _BY_SIGNAL - code
    return Failure(nodes[rank], rank, code, how if said is None else f"{how}; {said}")


def _said(failure: ProcessFailure) -> str | None:
    """What a process said that ended because another one was lost."""
    message = failure.error_file_data.get("message")
    said = message.get("message") if isinstance(message, dict) else None
    begin = f"{NodeLost.__name__}: "
    return said.removeprefix(begin) if isinstance(said, str) and said.startswith(begin) else None

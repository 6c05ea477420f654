"""The machine the program runs on, and the program itself, as far as results depend on them."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from skipsched.version import __version__

#: Libraries that decide what the search does and how fast.
_LIBRARIES = ("ortools", "numpy", "numba")


def cores() -> int:
    """Cores this process may use, where the system tells."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def machine() -> dict[str, str | int]:
    """Processor, cores, memory and system: nothing that names the one machine, or changes with a boot."""
    import psutil

    return {
        "processor": processor(),
        "cores": cores(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
    }


def program() -> dict[str, str]:
    """Version of the program, of its code to the byte, of Python and of the libraries that matter."""
    versions = {name: metadata.version(name) for name in _LIBRARIES}
    return {"skipsched": __version__, "code": _code(), "python": platform.python_version(), **versions}


def processor() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # another system
    return platform.processor() or platform.machine()


def _code() -> str:
    """A short digest of the package's own code, which changes with every edit of it."""
    import hashlib

    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]

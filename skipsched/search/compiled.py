"""Compiled functions, and where machine code is kept from one run of the program to the next.

Whole numbers go in and come out (but for the sizes of all-reduces), so that every machine computes the same.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

import numba
import platformdirs
from numba.core import config

from skipsched.machine import processor

#: numba's setting, which it makes as it reads its environment.
_CACHE_DIR = "CACHE_DIR"

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The function in machine code, compiled when it is first called and kept on disk after that."""
    with _keeping_code_in(code_folder()):
        # Without reference counts on the arrays handed around, which took nine tenths of the time: nothing
        # is allocated in compiled code, so there is nothing to count.
        made: Function = numba.njit(cache=True, nogil=True, _nrt=False)(function)  # type: ignore[call-overload]
    return made


@cache
def code_folder() -> Path:
    """Where the machine code of this version of the search is kept, on this kind of machine.

    What numba keeps of a function is out of date as soon as another one that it calls is changed, which
    numba does not see. So each version of the sources has a folder of its own. Where they lie and when they
    were written belongs to that: numba finds only what it kept of the very same files.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        written = path.stat().st_mtime_ns
        digest.update(f"{path} {written}".encode() + b"\0" + path.read_bytes() + b"\0")
    for part in (numba.__version__, platform.python_version(), platform.machine(), processor()):
        digest.update(part.encode() + b"\0")
    bases = [Path(platformdirs.user_cache_dir("skipsched", appauthor=False)), _temporary_base()]
    for base in bases:
        folder = base / digest.hexdigest()[:16]
        if _is_ours(base) and _is_writable(folder):
            return folder
    raise OSError(f"no folder to keep compiled code in: neither {bases[0]} nor {bases[1]} can be written")


def _temporary_base() -> Path:
    """Where code is kept for a user without a home: until the machine is cleaned up."""
    return Path(tempfile.gettempdir()) / f"skipsched-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def _is_ours(base: Path) -> bool:
    """Whether nobody else can put code there that this program would run."""
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = base.stat()
    except OSError:
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@contextmanager
def _keeping_code_in(folder: Path) -> Iterator[None]:
    """Have numba keep code in a folder; others who use numba in this process keep theirs where they did."""
    before = getattr(config, _CACHE_DIR)
    setattr(config, _CACHE_DIR, str(folder))
    try:
        yield
    finally:
        setattr(config, _CACHE_DIR, before)

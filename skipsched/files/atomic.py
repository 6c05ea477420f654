"""Writing a file, or a folder of files, all at once or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def write_atomically(path: Path, text: str) -> None:
    """Write a text beside its place and move it there; pipes and devices are written to as they are.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is then untouched, and no half file is left.
    """
    try:
        _write(end_of_links(path), text)
    except OSError as error:
        # Of the file beside it nobody has heard.
        raise OSError(error.errno, error.strerror, str(path)) from None


def end_of_links(path: Path) -> Path:
    """The place a symbolic link leads to, whether or not something is there; the path itself if it is none.

    Raises
    ------
    OSError
        If it leads nowhere.
    """
    if not path.is_symlink() or (path.exists() and not path.is_file()):
        return path  # a pipe behind a link, such as /dev/stdout, has no other name
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return target


def _write(path: Path, text: str) -> None:
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8") as file:
            file.write(text)
        return
    with replacing(path) as replacement:
        replacement.write(text.encode())


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file beside a place, moved there when all is written; if anything fails, it is gone.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is then untouched.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".skipsched.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(_mode(path))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_folder_atomically(path: Path, texts: Mapping[str, str]) -> None:
    """Write files into a folder that is not there yet, or empty: all of them or none.

    Parameters
    ----------
    texts
        The text of each file by its name.

    Raises
    ------
    OSError
        If it cannot be written, or has files already; it is then as it was.
    """
    place = Path(os.path.realpath(path))
    try:
        folder = Path(tempfile.mkdtemp(dir=place.parent, prefix=".skipsched.", suffix=".part"))
        try:
            for name, text in texts.items():
                write_atomically(folder / name, text)
            folder.chmod(_mode(place, new=0o777))
            folder.replace(place)
        except BaseException:
            shutil.rmtree(folder)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _mode(path: Path, new: int = 0o666) -> int:
    """The permissions of what is replaced, or those that something new gets."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return new & ~umask

"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from skipsched.export import chrome_trace, csv_rows, skippipe, torch_csv
from skipsched.opened import Opened

#: Formats of one file: a schedule -> its text.
FILES: Mapping[str, Callable[[Opened], str]] = {
    "chrome-trace": chrome_trace.text,
    "csv": csv_rows.text,
    "skippipe": skippipe.text,
}
#: Formats of several files: a schedule -> the text of each by its name.
FOLDERS: Mapping[str, Callable[[Opened], dict[str, str]]] = {
    "torch-csv": torch_csv.files,
}
#: What a format's reader makes of a schedule otherwise than it says, and everyone should know.
NOTES: Mapping[str, str] = {
    "skippipe": skippipe.NOTE,
    "torch-csv": torch_csv.NOTE,
}

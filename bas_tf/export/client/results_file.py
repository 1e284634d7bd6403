"""results.jsonl: one line a file, whatever ended the runs that wrote it."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bas_tf import files
from bas_tf.errors import UserError

RESULTS_FILE, REQUEST_FILE = "results.jsonl", "request.json"

Row = dict[str, Any]


class ResultsFile:
    """The rows of earlier runs, to which this one adds; see `opened`.

    Attributes:
      rows: {file: its row}; a row with an `error` is no result.
    """

    def __init__(self, path: Path):
        self._path = path
        self.rows = {row["file"]: row for row in _read_rows(path)}

    def has_result(self, file: str) -> bool:
        return "error" not in self.rows.get(file, {"error": "never asked"})

    def start(self, retried: Iterable[str]) -> None:
        """Leaves a file of whole lines, without those of files to be asked again."""
        for file in retried:
            self.rows.pop(file, None)
        lines = [json.dumps(row, allow_nan=False) for row in self.rows.values()]
        files.write_file(self._path, "".join(f"{line}\n" for line in lines).encode())

    def add(self, row: Row) -> None:
        """Appends the row of a file that has none."""
        if row["file"] in self.rows:
            raise ValueError(f"{row['file']}: has a row already")
        files.append_line(self._path, json.dumps(row, allow_nan=False))
        self.rows[row["file"]] = row


@contextlib.contextmanager
def opened(folder: Path, request: Mapping[str, Any]) -> Iterator[ResultsFile]:
    """Holds a folder's results.jsonl: one process at a time, one request a folder.

    Args:
      folder: made where it is missing.
      request: what is asked of which model, as flags; kept in request.json.

    Raises:
      UserError: another process holds it, another request made it, or it is no file
        of this kind.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"--output={folder}: {error.strerror}") from error
    try:
        _lock(folder, handle)
        _check_request(folder / REQUEST_FILE, request)
        results = ResultsFile(folder / RESULTS_FILE)
        files.write_json(folder / REQUEST_FILE, request)
        yield results
    finally:
        os.close(handle)


def _lock(folder: Path, handle: int) -> None:
    """Until the handle is closed or the process ends, however it does."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(f"--output={folder}: another run is writing to it") from error


def _check_request(path: Path, request: Mapping[str, Any]) -> None:
    text = path.read_bytes() if path.is_file() else json.dumps(request).encode()
    try:
        is_same = json.loads(text) == request
    except ValueError:
        is_same = False
    if not is_same:
        raise UserError(
            f"{path}: its results were asked for with {text.decode(errors='replace')}; "
            "use another --output"
        )


def _read_rows(path: Path) -> list[Row]:
    """The whole lines; a last one that a kill cut off is left out."""
    try:
        lines = path.read_bytes().split(b"\n") if path.is_file() else []
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if not isinstance(row["file"], str) or not {"box", "error"} & row.keys():
                raise ValueError
            rows.append(row)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            if number < len(lines):
                raise UserError(
                    f"{path}: line {number} is no row of results; correct it, or use "
                    "another --output"
                ) from error
    return rows

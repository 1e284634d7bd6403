"""results.jsonl: one line a file, whatever ended the runs that wrote it."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bas_tf import files
from bas_tf.errors import UserError

RESULTS_FILE, REQUEST_FILE = "results.jsonl", "request.json"

Row = dict[str, Any]


class ResultsFile:
    """The rows of earlier runs, {file: row}, to which this one adds; see `opened`."""

    def __init__(self, path: Path):
        self._path, self.rows = path, _read_rows(path)

    def has_result(self, file: str) -> bool:
        """Whether it has a row that is no `error`."""
        return "error" not in self.rows.get(file, {"error": "never asked"})

    def start(self, retried: Iterable[str]) -> None:
        """Leaves a file of whole lines, without those of files to be asked again."""
        for file in retried:
            self.rows.pop(file, None)
        lines = [json.dumps(row, allow_nan=False) for row in self.rows.values()]
        files.write_file(self._path, "".join(f"{line}\n" for line in lines).encode())

    def add(self, row: Row) -> None:
        """Appends the row of a file that has none."""
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
    with files.locked_folder(folder):
        _check_request(folder / REQUEST_FILE, request)
        results = ResultsFile(folder / RESULTS_FILE)
        files.write_json(folder / REQUEST_FILE, request)
        yield results


def _check_request(path: Path, request: Mapping[str, Any]) -> None:
    text = path.read_bytes() if path.is_file() else json.dumps(request).encode()
    with contextlib.suppress(ValueError):
        if json.loads(text) == request:
            return
    raise UserError(
        f"{path}: its results were asked for with {text.decode(errors='replace')}; "
        "use another --output"
    )


def _read_rows(path: Path) -> dict[str, Row]:
    """Those of the whole lines; a last one that a kill cut off is left out."""
    try:
        lines = path.read_bytes().split(b"\n") if path.is_file() else []
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    rows = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if not isinstance(row["file"], str) or not {"box", "error"} & row.keys():
                raise ValueError
            rows[row["file"]] = row
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            if number < len(lines):
                raise UserError(
                    f"{path}: line {number} is no row of results; correct it, or use "
                    "another --output"
                ) from error
    return rows

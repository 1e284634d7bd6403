"""The photos annotated so far, one line each, whatever ended the runs that did."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bas_tf import files
from bas_tf.annotation.data_set import Photo, from_row
from bas_tf.data import listing
from bas_tf.errors import UserError

JOURNAL_FILE = "annotations.jsonl"


class Journal:
    """A file of photos, in any order; its first line is the request that they answer.

    Memory holds the names, where their lines begin and `Photo.file`. The request is the
    model and the settings, see `run.annotate_photos`.
    """

    def __init__(self, folder: Path, request: Mapping[str, Any]):
        self.path = folder / JOURNAL_FILE
        self._offsets: dict[str, int] = {}
        self._files: dict[str, tuple[int, int] | None] = {}  # as `Photo.file`
        if not self._read(request):
            files.write_file(self.path, f"{json.dumps(request)}\n".encode())
        self._end = self.path.stat().st_size

    def __contains__(self, name: str) -> bool:
        return name in self._offsets

    def forget_changed(self, files_now: Mapping[str, tuple[int, int] | None]) -> None:
        """Drops photos whose file is another than the annotated one, if that is known.

        Args:
          files_now: {name: as `Photo.file`}.
        """
        for name in self._files.keys() & files_now.keys():
            if self._files[name] not in (None, files_now[name]):
                del self._offsets[name], self._files[name]

    def add(self, photos: Iterable[Photo]) -> None:
        """Appends photos; UserError where the file cannot be written."""
        for each in photos:
            line = json.dumps(dataclasses.asdict(each), allow_nan=False)
            files.append_line(self.path, line)
            self._remember(each, at=self._end)
            self._end += len(line) + 1  # JSON is ASCII

    def photos(self, names: Sequence[str]) -> Iterator[Photo]:
        """Those of the names that it has, in the order of the names."""
        with open(self.path, "rb") as file:
            for name in names:
                if name in self._offsets:
                    file.seek(self._offsets[name])
                    yield from_row(json.loads(file.readline()))

    def _remember(self, photo: Photo, *, at: int) -> None:
        self._offsets[photo.name], self._files[photo.name] = at, photo.file

    def _read(self, request: Mapping[str, Any]) -> bool:
        """Finds the lines of an earlier run; cuts off one that a kill left unfinished.

        Returns:
          Whether there was an earlier run.

        Raises:
          UserError: it had another request, or a line is damaged.
        """
        if not self.path.is_file():
            return False
        end = 0
        try:
            with open(self.path, "rb+") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    if end == 0:
                        self._check_request(json.loads(line), request)
                    else:
                        self._remember(from_row(json.loads(line)), at=end)
                    end += len(line)
                if 0 < end < self.path.stat().st_size:
                    file.truncate(end)
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be read ({error.strerror})"
            ) from error
        except (ValueError, LookupError, TypeError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{self.path}: damaged at byte {end}; use another --output"
            ) from error
        return end > 0

    def _check_request(self, before: dict, request: Mapping[str, Any]) -> None:
        for key in sorted(before.keys() | request.keys()):
            if before.get(key) != request.get(key):
                raise UserError(
                    f"{self.path}: was made with {key}={before.get(key)!r}, now it is "
                    f"{request.get(key)!r}; use another --output"
                )


def check_folder(folder: Path) -> None:
    """Raises UserError for an output folder with other files than an earlier run's."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output={folder}: is a file; name a folder")
    others = listing.visible_entries(folder)
    if others and not (folder / JOURNAL_FILE).is_file():
        raise UserError(
            f"--output: {folder / others[0]} is there already; name a new folder, or "
            f"one of a run to go on with ({JOURNAL_FILE})"
        )

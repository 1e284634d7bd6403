"""Files that appear whole or not at all."""

import json
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bas_tf.errors import UserError


def write_file(path: str | Path, content: bytes) -> None:
    """Writes under a temporary name, then renames; missing folders are made.

    Raises:
      UserError: the path cannot be written; the file that was there is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        if temporary.is_file():
            temporary.unlink()
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def check_place(path: str | Path) -> None:
    """What `write_file` would find out at the end, before the work is done.

    Raises:
      UserError: the path is a folder, or lies in a file or where nobody may write.
    """
    path = Path(path).absolute()
    if path.is_dir():
        raise UserError(f"{path}: cannot be written (it is a folder)")
    above = next(folder for folder in path.parents if folder.exists())
    if not above.is_dir():
        raise UserError(f"{path}: cannot be written ({above} is no folder)")
    if not os.access(above, os.W_OK):
        raise UserError(f"{path}: cannot be written ({above} is read-only)")


def check_not_inputs(
    outputs: Iterable[str | Path], inputs: Iterable[str | Path]
) -> None:
    """Called before a command does anything: no output may replace what it reads.

    Links are followed on both sides, so another name of the same file is found too.

    Raises:
      UserError: an output is one of the inputs.
    """
    read = {_identity(path) for path in inputs}
    for path in outputs:
        if _identity(path) in read:
            raise UserError(f"{path}: is an input of this command; name another output")


def _identity(path: str | Path):
    """Equal for two names of one file, whether or not it exists yet."""
    try:
        status = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def append_line(path: str | Path, line: str) -> None:
    """Adds a line to a log. A kill can cut it off: who reads a log must expect that.

    Raises:
      UserError: the path cannot be written.
    """
    try:
        with open(path, "a") as file:
            file.write(f"{line}\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def write_json(path: str | Path, document: Mapping[str, Any] | Sequence) -> None:
    """As `write_file`, for what `json` can write.

    Raises:
      UserError: see `write_file`.
      ValueError: a value is NaN or infinite, which JSON does not have.
    """
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    write_file(path, text.encode())


def unused_name(stem: str, suffix: str, taken: Container[str]) -> str:
    """STEM.png, or the first of STEM_2.png, STEM_3.png, ... that is not taken."""
    name, count = f"{stem}{suffix}", 1
    while name in taken:
        count += 1
        name = f"{stem}_{count}{suffix}"
    return name

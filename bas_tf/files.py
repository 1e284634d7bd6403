"""Atomic writing of files, and checks of output paths."""

import contextlib
import json
import os
import uuid
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from bas_tf.errors import UserError

NAME_BYTES = 255  # the longest name of a file, on every system in use


def write_file(path: str | Path, content: bytes) -> None:
    """Writes under a temporary name, then renames; missing folders are created.

    Raises:
      UserError: the path cannot be written; the file that was there is untouched.
    """
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A file that takes the path's place once the block ended; see `write_file`."""
    path = Path(path)
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def temporary_name(path: Path, suffix: str = ".tmp") -> Path:
    """An unused name in the same folder, short however long the file's own is."""
    return path.with_name(f".{uuid.uuid4().hex}{suffix}")


def check_place(path: str | Path) -> None:
    """Checks up front that `write_file` can write here.

    Raises:
      UserError: the path is a folder, or inside a file or a read-only folder.
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
    """Refuses outputs that would replace an input; called before a command starts.

    Links are followed on both sides, so another name of the same file is found too.

    Args:
      outputs: files, and folders that are replaced as a whole.
      inputs: files, and folders of which every file is read.

    Raises:
      UserError: an output is one of the inputs, or a folder with one in it.
    """
    there = {}
    for path in outputs:
        if identity := _identity(path):
            there[identity] = path
    if not there:
        return  # outputs that do not exist replace nothing: skip walking the data
    for path in _all_files(inputs):
        if output := there.get(_identity(path)):
            raise UserError(
                f"{output}: is an input of this command; name another output"
            )


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Equal for two names of one file; None if there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _all_files(paths: Iterable[str | Path]) -> Iterator[str | Path]:
    """Each path, what is below it, and the folders above it."""
    walked = set()
    for path in paths:
        yield path
        yield from Path(path).resolve().parents
        for place, folders, names in os.walk(path, followlinks=True):
            if (identity := _identity(place)) in walked:  # links can make a circle
                folders.clear()
                continue
            walked.add(identity)
            yield from (os.path.join(place, name) for name in (*folders, *names))


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Holds an output folder, made where it is missing, for this process alone.

    Raises:
      UserError: another process holds it, or it cannot be made.
    """
    import fcntl  # which Windows does not have

    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)  # which ends the lock, as a kill does
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            is_held = isinstance(error, BlockingIOError)
            why = "another run is writing to it" if is_held else error.strerror
            raise UserError(f"--output={folder}: {why}") from error
        yield


def append_line(path: str | Path, line: str) -> None:
    """Appends a line to a log. Readers must expect a last line cut off by a kill.

    UserError where the path cannot be written.
    """
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def write_json(path: str | Path, document: Mapping[str, Any] | Sequence) -> None:
    """Like `write_file`, for what `json` can serialize.

    ValueError for NaN and infinity, which JSON does not have.
    """
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    write_file(path, text.encode())


def is_up_to_date(made: Path, source: Path) -> bool:
    """Whether a file was made of another since that is what it is."""
    return made.is_file() and made.stat().st_mtime_ns >= source.stat().st_ctime_ns


def unused_name(stem: str, suffix: str, taken: Container[str]) -> str:
    """STEM.png, or the first of STEM_2.png, STEM_3.png, ... that is not taken.

    A stem that is too long for a file's name is cut.

    Args:
      stem: may have folders before it.
      suffix: the name's end.
      taken: names, or str.casefold of names where case must not count.
    """
    folder, name = os.path.split(stem)
    found, count = "", 1
    while not found or found in taken or found.casefold() in taken:
        ending = f"_{count}{suffix}" if count > 1 else suffix
        found = os.path.join(folder, _cut(name, NAME_BYTES - len(ending)) + ending)
        count += 1
    return found


def _cut(name: str, size: int) -> str:
    """As many whole characters of a name as fit into `size` bytes."""
    while len(os.fsencode(name)) > size:
        name = name[:-1]
    return name

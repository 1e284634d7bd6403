"""Output folders that take the place of an earlier one, whole or not at all."""

import os
import shutil
from pathlib import Path

from bas_tf.errors import UserError


def check_replaceable(output: Path, marker: str, hint: str) -> None:
    """Refuses to replace anything but an empty folder or one with the file `marker`.

    Raises:
      UserError: it is something else; the line ends with `hint`.
    """
    if output.is_dir():
        is_free = (output / marker).is_file() or not any(output.iterdir())
    else:
        is_free = not output.exists()
    if not is_free:
        raise UserError(f"--output={output}: is there and is {hint}")


def hidden_name(place: Path, state: str) -> Path:
    """A name next to `place` that no other process takes."""
    return place.with_name(f".{place.name}.{os.getpid()}.{state}")


def replace_folder(new: Path, place: Path) -> None:
    """Renames `new`; what was in its place has a `hidden_name` meanwhile, then goes.

    It comes back if that fails or is interrupted, and keeps the name if it cannot.
    """
    old = hidden_name(place, "old")
    try:
        if place.is_dir():
            place.rename(old)
        new.rename(place)
    finally:
        if old.is_dir() and not place.exists():
            old.rename(place)
        shutil.rmtree(old, ignore_errors=True)

"""Version folders of a served model: numbers, each of which appears whole."""

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bas_tf.errors import UserError

LARGEST = 2**63 - 1  # the server reads the names as int64
_NUMBER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)  # what the server takes for one
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


@contextlib.contextmanager
def temporary_folder(serving_dir: Path) -> Iterator[Path]:
    """A hidden folder in `serving_dir`, gone after the `with` block.

    The server skips it. What is to become a version is made as a folder inside
    it: the temporary folder itself can be read by its owner alone.

    Raises:
      UserError: `serving_dir` is no folder, or cannot be written.
    """
    try:
        serving_dir.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=".new-", dir=serving_dir)
    except OSError as error:
        raise _cannot_be_written(serving_dir, error) from error
    with folder as name:
        yield Path(name)


def add_version(new: Path, serving_dir: Path) -> Path:
    """Renames a complete folder to the next version, at once.

    Exports at the same time each get their own numbers.

    Args:
      new: not empty, in `serving_dir` or elsewhere on its file system.
      serving_dir: the model's folder, which the server polls.

    Returns:
      `serving_dir`/N, N one above the largest number there, at least 1.

    Raises:
      UserError: `serving_dir` is no folder or cannot be written, or has no number left.
    """
    while True:
        try:
            number = _next_number(os.listdir(serving_dir))
        except OSError as error:
            raise _cannot_be_written(serving_dir, error) from error
        if number > LARGEST:
            raise UserError(
                f"--serving_dir={serving_dir}: has version {LARGEST}, after which no "
                "number is left; rename that one"
            )
        version = serving_dir / str(number)
        try:
            # Fails on a file and on a folder that holds something, so on any version.
            # An empty folder, made since the names were read, it would replace.
            os.rename(new, version)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise _cannot_be_written(serving_dir, error) from error
        else:
            return version


def _next_number(names: list[str]) -> int:
    numbers = (int(name) for name in names if _NUMBER.fullmatch(name))
    return max([0, *(n for n in numbers if n <= LARGEST)]) + 1


def _cannot_be_written(serving_dir: Path, error: OSError) -> UserError:
    return UserError(
        f"--serving_dir={serving_dir}: cannot be written ({error.strerror})"
    )

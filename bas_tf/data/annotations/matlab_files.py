"""Tables in Matlab files, as older data sets have them."""

import zlib
from pathlib import Path

import numpy as np

from bas_tf.data.records import DataError
from bas_tf.errors import import_extra


def read_columns(path: Path, *names: str) -> list[np.ndarray]:
    """Variables of a .mat file, each a flat array; structs are record arrays.

    Raises:
      DataError: no such file, not a .mat file, or without one of the variables.
      UserError: scipy is not installed.
    """
    scipy_io = import_extra("scipy.io", "tfds")
    unreadable = (
        scipy_io.matlab.MatReadError, zlib.error, ValueError, TypeError,
        NotImplementedError, OSError,
    )  # fmt: skip
    try:
        content = scipy_io.loadmat(path, squeeze_me=True, variable_names=names)
        return [np.atleast_1d(content[name]) for name in names]
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except KeyError as error:
        raise DataError(f"{path}: has no variable {error.args[0]!r} in it") from error
    except unreadable as error:
        raise DataError(f"{path}: not a readable .mat file ({error})") from error

"""Tables in Matlab files, as older data sets have them."""

import zlib
from pathlib import Path

import numpy as np
import scipy.io

from bas_tf.data.records import DataError

_UNREADABLE = (
    scipy.io.matlab.MatReadError, zlib.error, ValueError, TypeError,
    NotImplementedError, OSError,
)  # fmt: skip


def read_columns(path: Path, *names: str) -> list[np.ndarray]:
    """Variables of a .mat file, each a flat array; structs are record arrays.

    Raises:
      DataError: no such file, not a .mat file, or without one of the variables.
    """
    try:
        content = scipy.io.loadmat(path, squeeze_me=True, variable_names=names)
        return [np.atleast_1d(content[name]) for name in names]
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except KeyError as error:
        raise DataError(f"{path}: has no variable {error.args[0]!r} in it") from error
    except _UNREADABLE as error:
        raise DataError(f"{path}: not a readable .mat file ({error})") from error

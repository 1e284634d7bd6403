"""A localizer's weights as one `.weights.h5` file: the arrays, and what they are of."""

import collections
import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import h5py

from bas_tf import files
from bas_tf.errors import UserError
from bas_tf.models.localizer import Localizer

SUFFIX = ".weights.h5"
OVERHEAD = 4096  # bytes of HDF5's own a variable, rounded up
ATTRIBUTE = "bas_tf"  # of the file's root: JSON of `_network` and "source"
MOST_SHAPES = 4  # of a kind that an error lists


def save(localizer: Localizer, path: str | Path, *, source: str) -> None:
    """Writes every variable, the input scaling included; whole or not at all.

    Args:
      source: where the weights came from, for the record.

    Raises:
      UserError: another suffix, or the file cannot be written.
    """
    path = Path(path)
    check_suffix(path)
    temporary = files.temporary_name(path, SUFFIX)
    origin = {**_network(localizer), "source": source}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_space(localizer, temporary)
        localizer.save_weights(temporary)
        with h5py.File(temporary, "r+") as file:
            file.attrs[ATTRIBUTE] = json.dumps(origin)
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be written ({reason})") from error
    finally:
        with contextlib.suppress(OSError):  # not there, or not even its folder
            temporary.unlink()


def load(localizer: Localizer, path: str | Path) -> None:
    """Sets every variable of a localizer from a file that `save` wrote.

    Raises:
      UserError: the file is missing, unreadable, or of another backbone, variant,
        number of classes or shape of the network.
    """
    ours = _network(localizer)
    for key, theirs in _read_origin(path, ours).items():
        if theirs != ours[key]:
            raise UserError(f"{path}: has {key} {theirs}, the model has {ours[key]}")
    _check_shapes(localizer, path)
    try:
        localizer.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path}: does not fit this model ({reason})") from error


def check_suffix(path: Path) -> None:
    """Raises UserError unless the name is one that Keras takes for weights."""
    if not path.name.endswith(SUFFIX):
        raise UserError(f"{path}: the name of a weights file must end in {SUFFIX}")


def _check_space(localizer: Localizer, path: Path) -> None:
    """Takes the room for a moment; on a full disk HDF5 would break the process."""
    arrays = sum(v.numpy().nbytes + OVERHEAD for v in localizer.variables)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, arrays)


def _network(localizer: Localizer) -> dict:
    """What must agree; a variant's arrays fit the other's shapes, not its paddings."""
    return {
        "backbone": localizer.backbone_name,
        "variant": localizer.backbone.variant,
        "num_classes": localizer.num_classes,
    }


def _check_shapes(localizer: Localizer, path: str | Path) -> None:
    """Raises UserError unless file and model have as many arrays of each shape.

    Keras says nothing of arrays that the model lacks, and sets others meanwhile.
    """
    theirs = collections.Counter(_shapes_in(path))
    ours = collections.Counter(tuple(v.shape) for v in localizer.variables)
    if theirs != ours:
        raise UserError(
            f"{path}: made with other options of the model; arrays in the file only: "
            f"{_listed(theirs - ours)}; in the model only: {_listed(ours - theirs)}"
        )


def _shapes_in(path: str | Path) -> list[tuple[int, ...]]:
    shapes = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda _, item: shapes.append(getattr(item, "shape", None)))
    return [shape for shape in shapes if shape is not None]  # groups have none


def _listed(shapes: collections.Counter) -> str:
    """As "3x3x8x1, 8 (4 times) and 12 more shapes"."""
    words = [
        "x".join(map(str, shape)) + (f" ({count} times)" if count > 1 else "")
        for shape, count in sorted(shapes.items())
    ]
    more = len(words) - MOST_SHAPES
    more_words = f" and {more} more shapes" if more > 0 else ""
    return (", ".join(words[:MOST_SHAPES]) or "none") + more_words


def _read_origin(path: str | Path, keys: Iterable[str]) -> dict:
    try:
        with h5py.File(path, "r") as file:
            origin = json.loads(file.attrs[ATTRIBUTE])
            return {key: origin[key] for key in keys}
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: not a weights file of bas_tf.import_weights"
        ) from error

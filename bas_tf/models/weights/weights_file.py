"""A localizer's weights as one `.weights.h5` file: the arrays, and what they are of."""

import dataclasses
import json
import os
from pathlib import Path

import h5py

from bas_tf.errors import UserError
from bas_tf.models.localizer import Localizer

SUFFIX = ".weights.h5"
ATTRIBUTE = "bas_tf"  # of the file's root, holds an Origin as JSON


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a file holds and where it came from."""

    backbone: str
    variant: str
    num_classes: int
    source: str


def save(localizer: Localizer, path: str | Path, *, source: str) -> None:
    """Writes every variable, the input scaling included; whole or not at all.

    Args:
      localizer: a built localizer.
      path: ends in `.weights.h5`.
      source: where the weights came from, for the record.

    Raises:
      UserError: another suffix, or the file cannot be written.
    """
    path = Path(path)
    check_suffix(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    origin = Origin(**_network(localizer), source=source)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        localizer.save_weights(temporary)
        with h5py.File(temporary, "r+") as file:
            file.attrs[ATTRIBUTE] = json.dumps(dataclasses.asdict(origin))
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be written ({reason})") from error
    finally:
        temporary.unlink(missing_ok=True)


def load(localizer: Localizer, path: str | Path) -> None:
    """Sets every variable of a localizer from a file that `save` wrote.

    Raises:
      UserError: the file is missing, unreadable, or of another backbone, variant,
        number of classes or shape of the network.
    """
    origin = _read_origin(path)
    for key, ours in _network(localizer).items():
        theirs = getattr(origin, key)
        if theirs != ours:
            raise UserError(f"{path}: has {key} {theirs}, the model has {ours}")
    try:
        localizer.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path}: does not fit this model ({reason})") from error


def check_suffix(path: Path) -> None:
    """Raises UserError unless the name is one that Keras takes for weights."""
    if not path.name.endswith(SUFFIX):
        raise UserError(f"{path}: the name of a weights file must end in {SUFFIX}")


def _network(localizer: Localizer) -> dict:
    """What must agree; a variant's arrays fit the other's shapes, not its paddings."""
    return {
        "backbone": localizer.backbone_name,
        "variant": localizer.backbone.variant,
        "num_classes": localizer.num_classes,
    }


def _read_origin(path: str | Path) -> Origin:
    try:
        with h5py.File(path, "r") as file:
            return Origin(**json.loads(file.attrs[ATTRIBUTE]))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: not a weights file of bas_tf.import_weights"
        ) from error

"""What the arguments of the Python interface may be."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bas_tf import configs
from bas_tf.errors import DataError, UserError

Photo = str | Path | Image.Image | np.ndarray


def read_config(config: str):
    return configs.read_config(str(config), argument="config")


def set_keys(config, photos: str | Path | None, overrides: Mapping[str, Any]) -> None:
    """Names the photos in a config, and sets keys that it has."""
    if photos is not None:
        config.data.source, config.data.root = "folder", str(Path(photos).expanduser())
    for key, value in overrides.items():
        *groups, name = key.replace("__", ".").split(".")
        node = config
        for group in groups:
            node = node.get(group) if hasattr(node, "get") else None
        if not hasattr(node, "keys") or name not in node:
            raise UserError(f"{key}={value!r}: the config has no such key")
        try:
            node[name] = value
        except TypeError as error:
            raise UserError(f"{key}={value!r}: {error}") from error


def pixels_of(photo: Photo) -> np.ndarray:
    from bas_tf.data import decode

    if isinstance(photo, str | Path):
        return decode.decode_image(Path(photo).expanduser())
    if isinstance(photo, Image.Image):
        return decode.decode_pil(photo)
    is_pixels = isinstance(photo, np.ndarray) and photo.dtype == np.uint8
    if is_pixels and photo.ndim == 3 and photo.shape[2] == 3 and photo.size:
        return photo
    described = f"{getattr(photo, 'dtype', type(photo).__name__)}"
    shape = getattr(photo, "shape", "")
    raise DataError(
        f"photos: {described} {shape} is no photo; expected a path, a PIL image or a "
        "uint8 array [height, width, 3]"
    )


@contextlib.contextmanager
def own_arguments(own_names: Mapping[str, str]) -> Iterator[None]:
    """Errors of what is called here name its flags and keys: they get our names."""
    try:
        yield
    except UserError as error:
        text = str(error)
        for theirs, ours in own_names.items():
            text = text.replace(theirs, ours)
        raise type(error)(text) from error

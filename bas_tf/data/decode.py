"""Image files to upright RGB pixels."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from bas_tf.data.records import DataError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def decode_image(path: str | Path) -> np.ndarray:
    """Reads a photo the way a person sees it: EXIF rotation applied, three channels.

    Args:
      path: a file that Pillow can open; transparency is composed onto black.

    Returns:
      uint8 [height, width, 3] RGB.

    Raises:
      DataError: the file is missing, truncated or no image; the message names it.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not a readable image ({reason})") from error


def decode_mask(path: str | Path) -> np.ndarray:
    """Reads an evaluation mask: uint8 [height, width], 0, 128 (ignore) or 255.

    Raises:
      DataError: as `decode_image`.
    """
    return decode_image(path)[..., 0]

"""From an upright photo to the network's input, as the reference does it.

Resize without keeping the aspect (antialiased bilinear), then a random crop and flip
for training or the centre crop for evaluation. Evaluation resizes by Pillow, as the
reference; training by the same filter in vector instructions, at most 1/255 next to it.
"""

import numpy as np
from PIL import Image

try:
    import cykooz_resizer as vector_resizer
except ImportError:  # no wheel for this machine: Pillow resizes for training too
    vector_resizer = None

from bas_tf.errors import UserError
from bas_tf.geometry.frames import CropFrame, Size


def check_sizes(resize_size_wh: Size, crop_size_wh: Size) -> None:
    """Raises UserError where a resized image has no place for the crop."""
    sizes = zip(resize_size_wh, crop_size_wh, strict=True)
    if any(crop > whole for whole, crop in sizes):
        raise UserError(
            f"data.crop_size is {tuple(crop_size_wh)}, of which data.resize_size "
            f"{tuple(resize_size_wh)} has no crop: make that at least as large"
        )


def resize(image: np.ndarray, size_wh: Size) -> np.ndarray:
    """Antialiased bilinear resize: uint8 [h, w, 3] -> uint8 [size_h, size_w, 3]."""
    if image.shape[1::-1] == tuple(size_wh):
        return image
    resized = Image.fromarray(image).resize(size_wh, Image.Resampling.BILINEAR)
    return np.asarray(resized)


def resize_for_training(picture: Image.Image, size_wh: Size) -> np.ndarray:
    """As `resize`, of a picture of mode RGB, within 1/255 and three times as fast."""
    return resize_and_crop(picture, size_wh, (0, 0), size_wh)


def resize_and_crop(
    picture: Image.Image, size_wh: Size, offset: Size, crop_size_wh: Size
) -> np.ndarray:
    """A crop of `resize_for_training` without resizing the rest.

    It is the same but for rounding: a value in thousands differs by one.

    Args:
      picture: mode RGB.
      size_wh: what the whole picture would be resized to.
      offset: left and top of the crop in that.
      crop_size_wh: of the result, uint8 [crop_h, crop_w, 3].
    """
    if vector_resizer is None:
        return crop_at(resize(np.asarray(picture), size_wh), offset, crop_size_wh)
    starts, lengths = _source_box(picture.size, size_wh, offset, crop_size_wh)
    crop = Image.new("RGB", tuple(crop_size_wh))
    bilinear = vector_resizer.FilterType.bilinear
    options = vector_resizer.ResizeOptions(
        resize_alg=vector_resizer.ResizeAlg.convolution(bilinear),
        use_alpha=False,
        crop_box=vector_resizer.CropBox(*starts, *lengths),
    )
    vector_resizer.Resizer().resize_pil(picture, crop, options)
    return np.asarray(crop)


def _source_box(
    original_wh: Size, size_wh: Size, offset: Size, crop_size_wh: Size
) -> tuple[list[float], list[float]]:
    """A crop of the resized picture in the original: left and top, width and height."""
    starts, lengths = [], []
    for original, size, start, length in zip(
        original_wh, size_wh, offset, crop_size_wh, strict=True
    ):
        starts.append(start * original / size)
        # Rounding must not carry the box over the edge.
        lengths.append(min(length * original / size, original - starts[-1]))
    return starts, lengths


def centre_crop(image: np.ndarray, crop_size_wh: Size) -> np.ndarray:
    """The middle crop_h x crop_w pixels; an odd margin is smaller on the top left."""
    size_wh = image.shape[1::-1]
    frame = CropFrame(size_wh, size_wh, crop_size_wh)
    return crop_at(image, frame.crop_offset_xy, crop_size_wh)


def crop_at(image: np.ndarray, offset: Size, crop_size_wh: Size) -> np.ndarray:
    """The crop_h x crop_w pixels from (left, top) on."""
    left, top = offset
    return image[top : top + crop_size_wh[1], left : left + crop_size_wh[0]]


def random_offset_and_flip(
    size_wh: Size, crop_size_wh: Size, rng: np.random.Generator
) -> tuple[Size, bool]:
    """Left and top of a uniformly placed crop, and whether it is mirrored: half are."""
    left, top = (
        int(rng.integers(size - crop + 1))
        for size, crop in zip(size_wh, crop_size_wh, strict=True)
    )
    return (left, top), bool(rng.random() < 0.5)


def ten_crops(image: np.ndarray, crop_size_wh: Size) -> np.ndarray:
    """Four corners, the centre, all mirrored too: uint8 [10, crop_h, crop_w, 3]."""
    crop_w, crop_h = crop_size_wh
    right, bottom = image.shape[1] - crop_w, image.shape[0] - crop_h
    corners = [(0, 0), (right, 0), (0, bottom), (right, bottom)]
    crops = [image[y : y + crop_h, x : x + crop_w] for x, y in corners]
    crops.append(centre_crop(image, crop_size_wh))
    return np.stack([*crops, *(crop[:, ::-1] for crop in crops)])

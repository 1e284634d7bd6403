"""From an upright photo to the network's input, as the reference does it.

Resize without keeping the aspect (antialiased bilinear, Pillow), then a random crop
and flip for training or the centre crop for evaluation.
"""

import numpy as np
from PIL import Image

Size = tuple[int, int]  # width, height


def resize(image: np.ndarray, size_wh: Size) -> np.ndarray:
    """Antialiased bilinear resize: uint8 [h, w, 3] -> uint8 [size_h, size_w, 3]."""
    if image.shape[1::-1] == tuple(size_wh):
        return image
    resized = Image.fromarray(image).resize(size_wh, Image.Resampling.BILINEAR)
    return np.asarray(resized)


def centre_crop(image: np.ndarray, crop_size_wh: Size) -> np.ndarray:
    """The middle crop_h x crop_w pixels; an odd margin is smaller on the top left."""
    left, top = crop_offset(image.shape[1::-1], crop_size_wh)
    return image[top : top + crop_size_wh[1], left : left + crop_size_wh[0]]


def crop_offset(size_wh: Size, crop_size_wh: Size) -> Size:
    """Left and top margin of the centre crop."""
    return (
        (size_wh[0] - crop_size_wh[0]) // 2,
        (size_wh[1] - crop_size_wh[1]) // 2,
    )


def random_crop_and_flip(
    image: np.ndarray, crop_size_wh: Size, rng: np.random.Generator
) -> np.ndarray:
    """A uniformly placed crop, mirrored half of the time."""
    left = rng.integers(image.shape[1] - crop_size_wh[0] + 1)
    top = rng.integers(image.shape[0] - crop_size_wh[1] + 1)
    crop = image[top : top + crop_size_wh[1], left : left + crop_size_wh[0]]
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def ten_crops(image: np.ndarray, crop_size_wh: Size) -> np.ndarray:
    """Four corners, the centre, all mirrored too: uint8 [10, crop_h, crop_w, 3]."""
    crop_w, crop_h = crop_size_wh
    right, bottom = image.shape[1] - crop_w, image.shape[0] - crop_h
    corners = [(0, 0), (right, 0), (0, bottom), (right, bottom)]
    crops = [image[y : y + crop_h, x : x + crop_w] for x, y in corners]
    crops.append(centre_crop(image, crop_size_wh))
    return np.stack([*crops, *(crop[:, ::-1] for crop in crops)])

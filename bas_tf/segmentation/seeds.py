"""Seeds: maps of a photo's labels over several scales, and the labels they give."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from bas_tf.geometry.components import resize_map
from bas_tf.metrics.segmentation import label_confusion

SCALES = (1.0, 0.5, 1.5, 2.0)
THRESHOLDS = np.arange(20, 45) / 100  # of the published seeds, the best was taken
SWEEP = np.append(THRESHOLDS, np.arange(48, 100, 4) / 100)  # maps may lie higher
STRIDE = 4  # of the low maps
_GRID = 16  # the high maps are made for a multiple of it and cropped

MapsFn = Callable[[np.ndarray], Sequence[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Seeds:
    """A photo as large as it is seen, and maps of its labels.

    Attributes:
      photo: uint8 [height, width, 3].
      keys: int [labels], classes from 0.
      high: float32 [labels, height, width]; of `make_seeds` in [0, 1], each with its
        highest value at 1.
      low: float32 [labels, ceil(height / 4), ceil(width / 4)] as `high`; None where a
        softmax of maps made them.
    """

    photo: np.ndarray
    keys: np.ndarray
    high: np.ndarray
    low: np.ndarray | None = None


def make_seeds(
    photo: np.ndarray,
    keys: Sequence[int],
    network: MapsFn,
    scales: Sequence[float] = SCALES,
    *,
    multiple: int = 1,
) -> Seeds:
    """Maps of a photo's labels, summed over scales and mirror images.

    Args:
      photo: uint8 [height, width, 3].
      keys: the classes whose maps are wanted.
      network: images uint8 [2, h, w, 3] -> maps float [2, h', w', classes], none
        negative, of one kind or several (BAS and CAM), which are added, each with its
        highest value at 1.
      scales: of the photo.
      multiple: the sides of images are the nearest multiples of it.
    """
    keys = np.asarray(keys, np.int64)
    sizes_wh = [
        tuple(
            multiple * max(1, round(side * scale / multiple))
            for side in photo.shape[1::-1]
        )
        for scale in scales
    ]
    of_sizes = [_mirrored_maps(photo, network, size_wh) for size_wh in sizes_wh]
    kinds = [_total(maps, keys, photo.shape) for maps in zip(*of_sizes, strict=True)]
    low, high = kinds[0]
    if len(kinds) > 1:
        low, high = (_normalized(sum(each)) for each in zip(*kinds, strict=True))
    return Seeds(photo, keys, high, low)


def _mirrored_maps(photo, network: MapsFn, size_wh) -> list[np.ndarray]:
    """Of each kind, the photo's maps plus those of its mirror image turned back."""
    image = resize_bicubic(photo, size_wh)
    pairs = network(np.stack([image, image[:, ::-1]]))
    return [straight + mirrored[:, ::-1] for straight, mirrored in pairs]


def _total(maps: Sequence[np.ndarray], keys, shape) -> tuple[np.ndarray, np.ndarray]:
    """The `low` and `high` of `Seeds`, of one kind's maps [h', w', classes]."""
    height, width = shape[:2]
    low = np.zeros([len(keys), -(-height // STRIDE), -(-width // STRIDE)])
    grid = -(-height // _GRID), -(-width // _GRID)
    high = np.zeros([len(keys), grid[0] * _GRID, grid[1] * _GRID])
    for total in (low, high):
        for of_size in maps:
            for i, key in enumerate(keys):
                total[i] += resize_map(of_size[..., key], total.shape[:0:-1])
    return _normalized(low), _normalized(high[:, :height, :width])


def bounded(photo: np.ndarray, longest: int) -> np.ndarray:
    """The photo, or a copy of its proportions whose longer side is `longest`."""
    scale = longest / max(photo.shape[:2])
    if scale >= 1:
        return photo
    width, height = (max(1, round(side * scale)) for side in photo.shape[1::-1])
    return resize_bicubic(photo, (width, height))


def resize_bicubic(image: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Antialiased bicubic resize: uint8 [h, w, 3] -> uint8 [size_h, size_w, 3]."""
    return np.asarray(Image.fromarray(image).resize(size_wh, Image.Resampling.BICUBIC))


def _normalized(maps: np.ndarray) -> np.ndarray:
    """Each map over its highest value; one of zeros stays so."""
    highest = maps.max(axis=(1, 2), keepdims=True, initial=0)
    return (maps / (highest + 1e-5)).astype(np.float32)


def label_map(maps: np.ndarray, keys: np.ndarray, threshold: float) -> np.ndarray:
    """Each pixel's label: that of its highest map, if above the threshold.

    Args:
      maps: float [labels, h, w].
      keys: int [labels], below 254.
      threshold: a map's value that still is background.

    Returns:
      uint8 [h, w]: 0 background, else the class + 1.
    """
    background = np.full([1, *maps.shape[1:]], threshold, maps.dtype)
    highest = np.concatenate([background, maps]).argmax(axis=0)  # the first of equals
    return as_labels(highest, keys)


def as_labels(places: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """0 -> 0 background, k -> label of the k-th key, its class + 1: int -> uint8."""
    return np.append(0, np.asarray(keys) + 1).astype(np.uint8)[places]


def confusions_at_thresholds(
    maps: np.ndarray,
    keys: np.ndarray,
    truth: np.ndarray,
    num_labels: int,
    thresholds: Sequence[float] = THRESHOLDS,
) -> np.ndarray:
    """Confusions of one photo's label maps, to be summed over photos.

    Args:
      maps: float [labels, h, w].
      keys: int [labels].
      truth: uint8 [h, w], see `label_confusion`.
      num_labels: with background.
      thresholds: of `label_map`, above 0, ascending.

    Returns:
      int64 [thresholds, num_labels, num_labels].
    """
    labels = label_map(maps, keys, 0)
    ends = np.asarray(thresholds, maps.dtype)
    below = np.searchsorted(ends, maps.max(axis=0, initial=0))  # how many thresholds
    by_level = np.stack(
        [
            label_confusion(truth[below == level], labels[below == level], num_labels)
            for level in range(len(ends) + 1)
        ]
    )
    labelled = by_level[:0:-1].cumsum(axis=0)[::-1]
    background = by_level[:-1].sum(axis=-1).cumsum(axis=0)
    labelled[..., 0] += background
    return labelled

"""The confusion matrix as a PNG, for as many classes as can be read."""

from collections.abc import Sequence

import numpy as np

from bas_tf.report import pictures
from bas_tf.report.lettering import cut_text, put_text, text_width

MOST_CLASSES = 40
_TEXT, _CELL = 12, 32  # height of a letter and smallest side of a cell, in pixels
_LONGEST_NAME, _GAP = 180, 6
_WHITE, _DARKEST = (255, 255, 255), (8, 48, 107)
_LINE = (225, 228, 231)


def confusion_png(counts: np.ndarray, class_names: Sequence[str]) -> bytes:
    """`confusion_picture` as a PNG file; equal counts give equal bytes."""
    return pictures.encode_image(confusion_picture(counts, class_names), ".png")


def confusion_picture(counts: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Images by true class (rows) and predicted class (columns).

    A cell says how many images it has and is the darker the larger its share of the
    row is. Images without a predicted class have a column only where there are any.

    Args:
      counts: int [classes, classes + 1], see `metrics.confusion.confusion_counts`.
      class_names: names by class id, at most MOST_CLASSES; long ones are cut.

    Returns:
      RGB uint8 [height, width, 3].
    """
    names = [cut_text(name, _TEXT, _LONGEST_NAME) for name in class_names]
    columns = [*names, "no class"]
    if not counts[:, -1].any():
        counts, columns = counts[:, :-1], names
    cell = max(_CELL, text_width(str(counts.max()), _TEXT) + 2 * _GAP)
    cells = _cells(counts, cell)
    rows = np.hstack([_lines(names, cell), cells])
    below = np.rot90(_lines(columns, cell))  # read upwards, as on a chart's axis
    picture = np.vstack([rows, _padded_left(below, rows.shape[1])])
    title = _lines(["predicted class"], cell, picture.shape[1])
    picture = np.vstack([_padded_left(picture, title.shape[1]), title])
    side = np.rot90(_lines(["true class"], cell, len(picture)))
    below = ((0, len(side) - len(picture)), (0, 0), (0, 0))
    return np.hstack([side, np.pad(picture, below, constant_values=255)])


def _lines(texts: Sequence[str], height: int, width: int = 0) -> np.ndarray:
    """Right-aligned lines on white, as wide as the widest needs if that is more."""
    widths = [text_width(text, _TEXT) for text in texts]
    width = max(width, max(widths) + 2 * _GAP)
    image = np.full([len(texts) * height, width, 3], 255, np.uint8)
    for i, (text, length) in enumerate(zip(texts, widths, strict=True)):
        start = (width - _GAP - length, i * height + (height + _TEXT) // 2 - 1)
        put_text(image, text, start, _TEXT, pictures.INK_COLOR)
    return image


def _padded_left(image: np.ndarray, width: int) -> np.ndarray:
    padding = ((0, 0), (width - image.shape[1], 0), (0, 0))
    return np.pad(image, padding, constant_values=255)


def _cells(counts: np.ndarray, side: int) -> np.ndarray:
    """The squares with their counts."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colors = _WHITE + shares[..., None] * np.subtract(_DARKEST, _WHITE)
    image = np.rint(colors).astype(np.uint8).repeat(side, axis=0).repeat(side, axis=1)
    image[::side] = image[:, ::side] = _LINE
    for row, column in zip(*np.nonzero(counts), strict=True):
        text = str(counts[row, column])
        x = column * side + (side - text_width(text, _TEXT)) // 2
        y = row * side + (side + _TEXT) // 2 - 1
        is_dark = shares[row, column] > 0.5
        put_text(image, text, (x, y), _TEXT, _WHITE if is_dark else pictures.INK_COLOR)
    return image

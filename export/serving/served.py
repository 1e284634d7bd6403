"""What a served localizer answers, read with distrust: one `Served` for each image."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from bas_tf import names

_FAULTS = {  # by STATUS, see `export.decoding`
    1: "the server cannot decode the image",
    2: "the image is larger than the server decodes",
    3: "the model does not have the class",
}
_CLASSES = -1  # a dimension: the five best classes, or all where there are fewer
# Output: kinds of NumPy dtypes that hold it, what to call them, shape of a row.
_EXPECTED: dict[str, tuple[str, str, tuple[int, ...]]] = {
    names.CLASS_IDS: ("iu", "integers", (_CLASSES,)),
    names.CLASS_NAMES: ("U", "strings", (_CLASSES,)),
    names.SCORES: ("iuf", "numbers", (_CLASSES,)),
    names.BOXES: ("iuf", "numbers", (4,)),
    names.DEGENERATE: ("b", "booleans", ()),
    names.IMAGE_SIZE: ("iu", "integers", (2,)),
    names.STATUS: ("iu", "integers", ()),
}
_OF_THE_BOX = (names.BOXES, names.DEGENERATE, names.IMAGE_SIZE, names.STATUS)
_OF_THE_CLASSES = (names.CLASS_IDS, names.CLASS_NAMES, names.SCORES)


class ServingError(RuntimeError):
    """A call that gave no usable answer; one line, with the server's message."""


@dataclasses.dataclass(frozen=True)
class Served:
    """The answer for one image.

    Attributes:
      fault: why there is no answer for this image; "" when it is good. The attributes
        below are empty or 0 where there is a fault.
      class_ids: best first, at most 5; of `localize_class` the class asked for.
      class_names: of those; empty from `localize_class`.
      scores: of those, in [0, 1]; empty from `localize_class`.
      box: x0, y0, x1, y1, half-open, in pixels of the image as it was sent.
      degenerate: no object was found; the box is the whole image.
      size_wh: width and height of the image as the server decoded it.
    """

    fault: str = ""
    class_ids: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    box: tuple[float, ...] = ()
    degenerate: bool = False
    size_wh: tuple[int, int] = (0, 0)


def read_localized(outputs: Mapping[str, Any], *, count: int) -> list[Served]:
    """The rows of `serving_default`'s outputs.

    Args:
      outputs: {name: array or nested lists}, strings as `str`.
      count: of the images sent.

    Raises:
      ServingError: an output is missing, or of another type or shape than promised.
    """
    columns = _columns(outputs, (*_OF_THE_CLASSES, *_OF_THE_BOX), count)
    widths = {columns[key].shape[1] for key in _OF_THE_CLASSES}
    if len(widths) > 1 or widths == {0}:
        shapes = ", ".join(f"{key} {columns[key].shape}" for key in _OF_THE_CLASSES)
        raise ServingError(f"the answer's classes do not fit together: {shapes}")
    return [
        _row(
            {key: column[row] for key, column in columns.items()},
            class_names=tuple(map(str, columns[names.CLASS_NAMES][row])),
            scores=tuple(map(float, columns[names.SCORES][row])),
        )
        for row in range(count)
    ]


def read_localized_class(
    outputs: Mapping[str, Any], *, class_ids: list[int]
) -> list[Served]:
    """The rows of `localize_class`'s outputs; see `read_localized`."""
    columns = _columns(outputs, _OF_THE_BOX, len(class_ids))
    return [
        _row(
            {names.CLASS_IDS: [class_id]}
            | {key: column[row] for key, column in columns.items()}
        )
        for row, class_id in enumerate(class_ids)
    ]


def _row(values: Mapping[str, Any], **of_classes) -> Served:
    status = int(values[names.STATUS])
    if status:
        return Served(fault=_FAULTS.get(status, f"the server answers status {status}"))
    for key in (names.BOXES, names.SCORES):
        if not np.isfinite(values.get(key, 0)).all():
            return Served(fault=f"the server's {key} are not finite: {values[key]}")
    width, height = map(int, values[names.IMAGE_SIZE])
    return Served(
        class_ids=tuple(map(int, values[names.CLASS_IDS])),
        box=tuple(map(float, values[names.BOXES])),
        degenerate=bool(values[names.DEGENERATE]),
        size_wh=(width, height),
        **of_classes,
    )


def _columns(
    outputs: Mapping[str, Any], keys: tuple[str, ...], count: int
) -> dict[str, np.ndarray]:
    return {key: _column(outputs, key, count) for key in keys}


def _column(outputs: Mapping[str, Any], key: str, count: int) -> np.ndarray:
    if key not in outputs:
        has = ", ".join(sorted(outputs)) or "none"
        raise ServingError(f"the answer lacks output {key!r}; its outputs: {has}")
    kinds, kind_name, row_shape = _EXPECTED[key]
    promised = (count, *row_shape)
    try:
        values = np.asarray(outputs[key])
    except (ValueError, OverflowError) as error:
        raise ServingError(f"the answer's output {key!r} is ragged") from error
    fits = len(values.shape) == len(promised) and all(
        size in (_CLASSES, actual)
        for size, actual in zip(promised, values.shape, strict=True)
    )
    if not fits or values.dtype.kind not in kinds:
        wanted = ["classes" if size == _CLASSES else str(size) for size in promised]
        raise ServingError(
            f"the answer's output {key!r} is {values.dtype} {list(values.shape)}; "
            f"expected {kind_name} [{', '.join(wanted)}]"
        )
    return values

"""What a served localizer answers, read with distrust: one `Served` for each image."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from bas_tf import names

_FAULTS = {  # by STATUS, see `bas_tf.export.artifacts.decoding`
    1: "the server cannot decode the image",
    2: "the image is larger than the server decodes",
    3: "the model does not have the class",
}
_CLASSES = -1  # a dimension: the five best classes, or all where there are fewer
# Output: kinds of NumPy dtypes that hold it, shape of a row.
_OF_THE_CLASSES = {
    names.CLASS_IDS: ("iu", (_CLASSES,)),
    names.CLASS_NAMES: ("U", (_CLASSES,)),
    names.SCORES: ("iuf", (_CLASSES,)),
}
_OF_THE_BOX = {
    names.BOXES: ("iuf", (4,)),
    names.DEGENERATE: ("b", ()),
    names.IMAGE_SIZE: ("iu", (2,)),
    names.STATUS: ("iu", ()),
}


class ServingError(RuntimeError):
    """A call that gave no usable answer; one line, with the server's message.

    Attributes:
      kind: "deadline", "unavailable" (no model yet, refused connection), "connection"
        (it broke), "answer" (not as promised), "http_<status>", or a gRPC status.
      later: another attempt may well succeed.
    """

    def __init__(self, message: str, *, kind: str = "answer", later: bool = False):
        super().__init__(message)
        self.kind, self.later = kind, later


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


def read_answers(
    outputs: Mapping[str, Any], *, count: int, class_ids: list[int] | None = None
) -> list[Served]:
    """A row for each image.

    Args:
      outputs: {name: array or nested lists}, strings as `str`.
      count: of the images sent.
      class_ids: those asked for, whose names and scores are not read; None for the
        outputs of `serving_default`.

    Raises:
      ServingError: an output is missing, or of another type or shape than promised.
    """
    promised = _OF_THE_BOX if class_ids else {**_OF_THE_CLASSES, **_OF_THE_BOX}
    columns = {
        key: _column(outputs, key, kinds, (count, *row_shape))
        for key, (kinds, row_shape) in promised.items()
    }
    if class_ids:
        columns[names.CLASS_IDS] = np.array(class_ids)[:, np.newaxis]
        columns[names.CLASS_NAMES] = columns[names.SCORES] = np.zeros([count, 0])
    else:
        widths = {columns[key].shape[1] for key in _OF_THE_CLASSES}
        if len(widths) > 1 or widths == {0}:
            raise ServingError(f"the answer's classes do not fit together: {widths}")
    return [
        _row({key: column[row] for key, column in columns.items()})
        for row in range(count)
    ]


def _row(values: Mapping[str, np.ndarray]) -> Served:
    status = int(values[names.STATUS])
    if status:
        return Served(fault=_FAULTS.get(status, f"the server answers status {status}"))
    for key in (names.BOXES, names.SCORES):
        if not np.isfinite(values[key]).all():
            return Served(fault=f"the server's {key} are not finite: {values[key]}")
    width, height = values[names.IMAGE_SIZE].tolist()
    return Served(
        class_ids=tuple(values[names.CLASS_IDS].tolist()),
        class_names=tuple(values[names.CLASS_NAMES].tolist()),
        scores=tuple(values[names.SCORES].tolist()),
        box=tuple(values[names.BOXES].tolist()),
        degenerate=bool(values[names.DEGENERATE]),
        size_wh=(width, height),
    )


def _column(
    outputs: Mapping[str, Any], key: str, kinds: str, promised: tuple[int, ...]
) -> np.ndarray:
    if key not in outputs:
        has = ", ".join(sorted(outputs)) or "none"
        raise ServingError(f"the answer lacks output {key!r}; its outputs: {has}")
    try:
        values = np.asarray(outputs[key])
    except (ValueError, OverflowError) as error:
        raise ServingError(f"the answer's output {key!r} is ragged") from error
    fits = len(values.shape) == len(promised) and all(
        size in (_CLASSES, actual)
        for size, actual in zip(promised, values.shape, strict=True)
    )
    if not fits or values.dtype.kind not in kinds:
        raise ServingError(
            f"the answer's output {key!r} is {values.dtype} {list(values.shape)}; "
            f"expected one of the kinds {kinds!r} {list(promised)}"
        )
    return values

"""What a served localizer answers, read with distrust: one `Served` for each image."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bas_tf import names

_FAULTS = {  # by STATUS, see `bas_tf.export.artifacts.decoding`
    1: "the server cannot decode the image",
    2: "the image is larger than the server decodes",
    3: "the model does not have the class",
}
_AT_LEAST_ONE = -1  # a dimension: the five best classes, or all where there are fewer


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """Which model of the server is asked; its latest version unless one is given."""

    name: str = "bas"
    version: int | None = None
    label: str | None = None


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
      fault: why there is none; "" when it is good, else the rest is empty or 0.
      class_ids: best first, at most 5; of `localize_class` the class asked for.
      class_names: of those; empty from `localize_class`.
      scores: of those, in [0, 1]; empty from `localize_class`.
      box: x0, y0, x1, y1, half-open, in pixels of the image as it was sent.
      degenerate: no object was found; the box is the whole image.
      confidence: in the box, in [0, 1]; None of a server's older model.
      size_wh: width and height of the image as the server decoded it.
    """

    fault: str = ""
    class_ids: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    box: tuple[float, ...] = ()
    degenerate: bool = False
    confidence: float | None = None
    size_wh: tuple[int, ...] = (0, 0)


def read_answers(
    outputs: Mapping[str, Any], *, count: int, class_ids: Sequence[int] | None = None
) -> list[Served]:
    """A `Served` for each of `count` images.

    Args:
      outputs: {name: array or nested lists}, strings as `str`.
      count: of the images sent.
      class_ids: those asked for, whose names and scores are not read; None for the
        outputs of `serving_default`.

    Raises:
      ServingError: an output is missing, or of another type or shape than promised.
    """

    def column(key: str, kinds: str, *row_shape: int) -> np.ndarray:
        return _column(outputs, key, kinds, (count, *row_shape))

    if class_ids is None:
        ids = column(names.CLASS_IDS, "iu", _AT_LEAST_ONE)
        class_names = column(names.CLASS_NAMES, "U", ids.shape[1])
        scores = column(names.SCORES, "iuf", ids.shape[1])
    else:
        ids = np.reshape(class_ids, [count, 1])
        class_names = scores = np.zeros([count, 0])
    columns = (
        column(names.STATUS, "iu"),
        ids,
        class_names,
        scores,
        column(names.BOXES, "iuf", 4),
        column(names.DEGENERATE, "b"),
        column(names.CONFIDENCE, "iuf")
        if names.CONFIDENCE in outputs
        else np.full(count, None),
        column(names.IMAGE_SIZE, "iu", 2),
    )
    return [_row(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def _row(
    status: int, ids, class_names, scores, box, degenerate: bool, confidence, size
) -> Served:
    if status:
        return Served(fault=_FAULTS.get(status, f"the server answers status {status}"))
    numbers = {names.BOXES: box, names.SCORES: scores}
    if confidence is not None:
        numbers[names.CONFIDENCE] = [confidence]
    for key, values in numbers.items():
        if not np.isfinite(values).all():
            return Served(fault=f"the server's {key} are not finite: {values}")
    lists = (ids, class_names, scores, box)
    return Served("", *map(tuple, lists), degenerate, confidence, tuple(size))


def _column(
    outputs: Mapping[str, Any], key: str, kinds: str, promised: tuple[int, ...]
) -> np.ndarray:
    """The output as an array, of one of these kinds of NumPy dtypes."""
    if key not in outputs:
        has = ", ".join(sorted(outputs)) or "none"
        raise ServingError(f"the answer lacks output {key!r}; its outputs: {has}")
    try:
        values = np.asarray(outputs[key])
    except (ValueError, OverflowError) as error:
        raise ServingError(f"the answer's output {key!r} is ragged") from error
    fits = values.ndim == len(promised) and all(
        size == wanted or (wanted == _AT_LEAST_ONE and size > 0)
        for size, wanted in zip(values.shape, promised, strict=True)
    )
    if not fits or values.dtype.kind not in kinds:
        raise ServingError(
            f"the answer's output {key!r} is {values.dtype} {list(values.shape)}; "
            f"expected one of the kinds {kinds!r} {list(promised)}"
        )
    return values

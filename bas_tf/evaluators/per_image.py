"""The per-image table: what an evaluator found image by image, at one threshold."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from bas_tf.data.records import Record
from bas_tf.evaluators.figures import Evaluation
from bas_tf.evaluators.predictions import Predictions

BOX_COLUMNS = ("x0", "y0", "x1", "y1")  # pixels of the crop, as the protocol has them
_FLAGS = ("correct",)


def per_image_csv(
    evaluation: Evaluation,
    *,
    protocol: str,
    records: Sequence[Record],
    predictions: Predictions,
    class_names: Sequence[str],
) -> str:
    """One line for each image of the split, in the order of the records.

    All lines are at the evaluation's one threshold: no protocol uses a best threshold
    for each image, and no column has one.

    Returns:
      A header of names and n lines. Under "correct" and "class_correct" stands 0 or 1,
      under "iou" the best over true boxes; empty where an image does not count.
      "confidence" is that of `metrics.confidence`.
    """
    columns = {
        "image_id": [record.image_id for record in records],
        "class": [class_names[label] for label in predictions.labels],
        "predicted_class": [
            _class(class_names, c) for c in predictions.first_class_ids
        ],
        "class_correct": _cells(
            predictions.first_class_ids == predictions.labels, is_flag=True
        ),
        **_evaluated_columns(evaluation),
        "confidence": _cells(predictions.confidences(evaluation.score_threshold)),
        "protocol": [protocol] * len(records),
        "score_threshold": [f"{evaluation.score_threshold:g}"] * len(records),
        "threshold_origin": [evaluation.threshold_origin] * len(records),
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _evaluated_columns(evaluation: Evaluation) -> dict[str, list[str]]:
    columns = {}
    for name, values in evaluation.per_image.items():
        if name == "box":
            columns |= zip(BOX_COLUMNS, map(_cells, np.transpose(values)), strict=True)
        else:
            columns[name] = _cells(values, is_flag=name in _FLAGS)
    return columns


def _cells(values: np.ndarray, *, is_flag: bool = False) -> list[str]:
    """Nine digits, as many as a float32 needs; whole flags; NaN is empty."""
    form = ".0f" if is_flag else ".9g"
    return ["" if np.isnan(v) else format(v, form) for v in map(float, values)]


def _class(class_names: Sequence[str], class_id: int) -> str:
    """Empty where the model gave no score."""
    return class_names[class_id] if class_id >= 0 else ""

"""The per-image table."""

import csv
import io

import numpy as np

from bas_tf import names
from bas_tf.evaluators import per_image
from bas_tf.metrics.confidence import confidence
from tests.evaluators.conftest import evaluate, predictions_and_truth


def table(split, protocol: str) -> list[dict]:
    text = per_image.per_image_csv(
        evaluate(split, protocol),
        protocol=protocol,
        records=split.records,
        predictions=predictions_and_truth(split, protocol)[0],
        class_names=("cat", "dog, large"),
    )
    return list(csv.DictReader(io.StringIO(text)))


def test_bas(split):
    rows = table(split, "bas")
    scores, maps = split.outputs[names.SCORES], split.outputs[names.LOCALIZATION_MAP]
    certain = confidence(scores[1], maps[1], score_threshold=0.5)
    assert rows[1] == {
        "image_id": "test/1", "class": "dog, large", "predicted_class": "cat",
        "class_correct": "0", "iou": "1", "correct": "1",
        "x0": "8", "y0": "8", "x1": "18", "y1": "18", "confidence": f"{certain:.9g}",
        "protocol": "bas", "score_threshold": "0.5", "threshold_origin": "fixed",
    }  # fmt: skip
    # Image 2: 121 / 625; image 3 has no true box but a predicted one.
    assert [row["iou"] for row in rows] == ["1", "1", "0.1936", "", "1"]
    assert [row["correct"] for row in rows] == ["1", "1", "0", "", "1"]
    assert [row["class_correct"] for row in rows] == ["1", "0", "1", "1", "1"]
    assert (rows[3]["x0"], rows[3]["x1"]) == ("0", "2")


def test_maxboxacc(split):
    rows = table(split, "maxboxacc")
    assert [row["correct"] for row in rows] == ["1", "1", "0", "", "0"]
    assert rows[4]["iou"] == format(1 / 1089, ".9g")
    assert {row["protocol"] for row in rows} == {"maxboxacc"}


def test_pxap(split):
    rows = table(split, "pxap")  # only image 0 has a mask, and its map is the mask
    assert [row["pixel_iou"] for row in rows] == ["1", "", "", "", ""]
    assert "x0" not in rows[0]


def test_the_means_of_the_columns_are_the_figures(split):
    """The table is at the one threshold of the figures, not at each image's best."""
    for protocol in ("bas", "maxboxacc"):
        evaluation = evaluate(split, protocol)
        columns, metrics = evaluation.per_image, evaluation.metrics
        assert np.nanmean(columns["correct"]) == metrics["gt_known_loc"]
        assert np.nanmean(columns["iou"]) == metrics["mean_iou"]


def test_a_model_without_an_answer_has_an_empty_class(split):
    split.outputs[names.SCORES][2] = np.nan
    rows = table(split, "bas")
    assert (rows[2]["predicted_class"], rows[2]["class_correct"]) == ("", "0")

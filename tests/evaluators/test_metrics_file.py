"""metrics.json: its keys."""

import dataclasses
import json

import numpy as np
import pytest

from bas_tf.evaluators.evaluation import Evaluation, Figure
from bas_tf.evaluators.metrics_file import metrics_document
from bas_tf.files import write_json


@pytest.fixture
def evaluation() -> Evaluation:
    return Evaluation(
        metrics={"gt_known_loc": np.float64(0.75), "num_images": 5},
        intervals_95={"gt_known_loc": (0.3, np.float64(0.95))},
        score_threshold=0.15,
        threshold_origin="fixed",
        gt_known_table=[],
    )


def test_the_file_has_exactly_the_documented_keys(tmp_path, evaluation):
    document = metrics_document(
        evaluation, protocol="bas", split="test", model="m", config="c:v", seed=None
    )
    write_json(tmp_path / "new" / "metrics.json", document)
    assert json.loads((tmp_path / "new" / "metrics.json").read_text()) == {
        "protocol": "bas",
        "split": "test",
        "num_images": 5,
        "score_threshold": 0.15,
        "threshold_origin": "fixed",
        "model": "m",
        "config": "c:v",
        "seed": None,
        "metrics": {"gt_known_loc": 0.75, "num_images": 5},
        "intervals_95": {"gt_known_loc": [0.3, 0.95]},
    }
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["metrics.json"]


def test_figures_with_their_own_thresholds_say_all_about_themselves(
    tmp_path, evaluation
):
    figure = Figure(
        value=0.75,
        num_images=4,
        interval_95=(0.3, 0.95),
        iou_thresholds=(0.3, 0.5, 0.7),
        score_thresholds=[0.1, 0.2, 0.3],
        threshold_origin="oracle",
    )
    evaluation = dataclasses.replace(evaluation, figures={"max_box_acc_v2": figure})
    document = metrics_document(
        evaluation, protocol="maxboxacc", split="test", model="m", config="", seed=None
    )
    write_json(tmp_path / "metrics.json", document)
    assert json.loads((tmp_path / "metrics.json").read_text())["figures"] == {
        "max_box_acc_v2": {
            "protocol": "maxboxacc",
            "value": 0.75,
            "num_images": 4,
            "interval_95": [0.3, 0.95],
            "iou_thresholds": [0.3, 0.5, 0.7],
            "score_thresholds": [0.1, 0.2, 0.3],
            "threshold_origin": "oracle",
        }
    }

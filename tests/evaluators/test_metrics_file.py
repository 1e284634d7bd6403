"""metrics.json: its keys."""

import json

import numpy as np
import pytest

from bas_tf.evaluators.figures import Evaluation, Figure
from bas_tf.evaluators.metrics_file import metrics_document
from bas_tf.files import write_json


@pytest.fixture
def evaluation() -> Evaluation:
    figure = Figure(
        value=np.float64(0.75),
        num_images=4,
        interval_95=(0.3, np.float64(0.95)),
        iou_thresholds=(0.3, 0.5, 0.7),
        comparison=">=",
        score_thresholds=[0.1, 0.2, 0.3],
        threshold_origin="oracle",
        map_class="label",
    )
    return Evaluation(
        figures={"max_box_acc_v2": figure},
        other_metrics={"num_images": 5, "mean_map": np.float64(0.25)},
        score_threshold=0.15,
        threshold_origin="fixed",
        map_class="label",
    )


def test_the_file_has_exactly_the_documented_keys(tmp_path, evaluation):
    document = metrics_document(
        evaluation, protocol="maxboxacc", split="test", model="m", config="c:v",
        seed=None,
    )  # fmt: skip
    write_json(tmp_path / "new" / "metrics.json", document)
    assert json.loads((tmp_path / "new" / "metrics.json").read_text()) == {
        "protocol": "maxboxacc",
        "split": "test",
        "num_images": 5,
        "score_threshold": 0.15,
        "threshold_origin": "fixed",
        "map_class": "label",
        "model": "m",
        "config": "c:v",
        "seed": None,
        "metrics": {"max_box_acc_v2": 0.75, "num_images": 5, "mean_map": 0.25},
        "intervals_95": {"max_box_acc_v2": [0.3, 0.95]},
        "figures": {
            "max_box_acc_v2": {
                "protocol": "maxboxacc",
                "value": 0.75,
                "num_images": 4,
                "interval_95": [0.3, 0.95],
                "average": "images",
                "iou_thresholds": [0.3, 0.5, 0.7],
                "comparison": ">=",
                "score_thresholds": [0.1, 0.2, 0.3],
                "threshold_origin": "oracle",
                "map_class": "label",
            }
        },
    }
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["metrics.json"]

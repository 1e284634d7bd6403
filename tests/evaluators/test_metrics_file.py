"""metrics.json: its keys."""

import json

import numpy as np
import pytest

from bas_tf.evaluators.bas_protocol import Evaluation
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

"""metrics.json: its keys, and never half a file."""

import json

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.evaluators.bas_protocol import Evaluation
from bas_tf.evaluators.metrics_file import metrics_document, write_json


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


def test_a_file_is_replaced_whole_or_kept(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 2}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/metrics\.json: cannot be written"):
        write_json(tmp_path / "file" / "metrics.json", {})
    (tmp_path / "metrics.json").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_json(tmp_path / "metrics.json", {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "metrics.json"]

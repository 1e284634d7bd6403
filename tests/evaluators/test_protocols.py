"""What holds for every protocol."""

import dataclasses

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.evaluators.bas_protocol import evaluate_bas
from bas_tf.evaluators.protocols import PROTOCOLS
from tests.evaluators.conftest import SIZE, evaluate


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unknown_origins_are_refused(split, protocol):
    with pytest.raises(UserError, match="'best'; known: fixed"):
        evaluate(split, protocol, origin="best")


@pytest.mark.parametrize("protocol", ["bas", "maxboxacc"])
def test_without_any_true_box_only_the_classes_are_evaluated(split, protocol):
    split.records = [
        dataclasses.replace(r, boxes_original=None, load_mask=None)
        for r in split.records
    ]
    evaluation = evaluate(split, protocol)
    stems = {name.removesuffix("_class_mean") for name in evaluation.figures}
    assert stems == {"top1_acc", "top5_acc"}
    assert evaluation.metrics["top1_acc"] == 4 / 5
    assert evaluation.figures["top1_acc"].interval_95[0] < 4 / 5
    assert evaluation.metrics["num_images_without_boxes"] == 5
    assert np.isnan(evaluation.per_image["iou"]).all()
    with pytest.raises(UserError, match="true boxes"):
        evaluate(split, protocol, origin="oracle")


def test_an_unknown_origin_is_refused_before_anything_runs(split):
    def batches():
        raise AssertionError("a model ran")
        yield

    with pytest.raises(UserError, match="'best'; known"):
        evaluate_bas(
            batches=batches(), records=split.records, **SIZE, score_threshold=0.5,
            threshold_origin="best",
        )  # fmt: skip

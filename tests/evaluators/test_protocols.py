"""What holds for every protocol."""

import pytest

from bas_tf.errors import UserError
from bas_tf.evaluators.bas_protocol import evaluate_bas
from bas_tf.evaluators.protocols import PROTOCOLS
from tests.evaluators.conftest import SIZE, evaluate


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unknown_origins_are_refused(split, protocol):
    with pytest.raises(UserError, match="'best'; known: fixed"):
        evaluate(split, protocol, origin="best")


def test_an_unknown_origin_is_refused_before_anything_runs(split):
    def batches():
        raise AssertionError("a model ran")
        yield

    with pytest.raises(UserError, match="'best'; known"):
        evaluate_bas(
            batches=batches(), records=split.records, **SIZE, score_threshold=0.5,
            threshold_origin="best",
        )  # fmt: skip

"""How many photos are found, with an object and without, by hand."""

import numpy as np

from bas_tf import names
from bas_tf.evaluators.predictions import predict_all
from bas_tf.evaluators.protocols import PROTOCOLS
from tests.evaluators.conftest import SIZE, Split, record, square_map

BOX = [4, 4, 14, 14]


def test_photos_without_an_object_count_for_found_and_not_for_boxes():
    """Sharp maps: confidence is the score of class 0, below 0.5 in the last two."""
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.45, 0.55]], np.float32)
    split = Split(
        records=[record(0, [BOX]), record(1, None), record(1, None), record(0, [BOX])],
        outputs={
            names.SCORES: scores,
            names.LOCALIZATION_MAP: np.stack([square_map(4, 4, 10)] * 4),
            names.BOXES: np.float32([BOX] * 4),
            names.DEGENERATE: np.zeros(4, bool),
        },
    )
    protocol = PROTOCOLS["bas"]
    predictions = predict_all(
        batches=split.batches(2), label_fn=split.predict_label, num_records=4,
        class_names=("cat", names.NO_OBJECT),
    )  # fmt: skip
    truth = protocol.load_truth(split.records, **SIZE)
    metrics = protocol.evaluate(
        predictions, truth, records=split.records, score_threshold=0.5
    ).metrics
    assert metrics["found"] == metrics["none_found"] == 1 / 2
    assert metrics["confidence_auroc"] == 3 / 4  # of 0.9 and 0.45 against 0.8 and 0.2
    assert metrics["num_images_without_object"] == 2
    assert metrics["gt_known_loc"] == 1 and metrics["top1_acc"] == 1 / 2

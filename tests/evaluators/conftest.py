"""A tiny split with known answers."""

import dataclasses

import numpy as np
import pytest

from bas_tf import names
from bas_tf.data.images import DrawnImage
from bas_tf.data.records import Record
from bas_tf.evaluators.predictions import predict_all
from bas_tf.evaluators.protocols import PROTOCOLS

CROP = 32
SIZE = {"resize_size_wh": (CROP, CROP), "crop_size_wh": (CROP, CROP)}


def square_map(x: int, y: int, side: int) -> np.ndarray:
    """A map that is 1 on a square and 0 elsewhere: float32 [CROP, CROP]."""
    score_map = np.zeros([CROP, CROP], np.float32)
    score_map[y : y + side, x : x + side] = 1.0
    return score_map


@dataclasses.dataclass
class Split:
    """Records, and for each record what a fixed model says about it."""

    records: list[Record]
    outputs: dict[str, np.ndarray]  # of the predicted class's map
    of_label: dict[str, np.ndarray] | None = None  # None: equal to those

    def batches(self, size: int, order=None):
        """Batches whose images carry their own index, so a predict_fn knows them."""
        order = np.arange(len(self.records)) if order is None else np.asarray(order)
        for start in range(0, len(order), size):
            index = order[start : start + size]
            images = np.broadcast_to(
                index[:, None, None, None].astype(np.float32), [len(index), 4, 4, 3]
            )
            labels = np.array([self.records[i].label for i in index], np.int32)
            yield {names.IMAGES: images, names.LABELS: labels, names.INDEX: index}

    def predict(self, images: np.ndarray) -> dict[str, np.ndarray]:
        index = images[:, 0, 0, 0].astype(int)
        return {name: column[index] for name, column in self.outputs.items()}

    def predict_label(self, images: np.ndarray, labels) -> dict[str, np.ndarray]:
        index = images[:, 0, 0, 0].astype(int)
        of_label = self.outputs if self.of_label is None else self.of_label
        return {
            **self.predict(images),
            **names.of_label({key: v[index] for key, v in of_label.items()}),
        }


def record(label, boxes, mask=None) -> Record:
    """A record of a photo that already has the size of the crop."""
    return Record(
        image_id=f"test/{label}",
        label=label,
        image=DrawnImage(lambda: np.zeros([CROP, CROP, 3], np.uint8), (CROP, CROP)),
        boxes_original=None if boxes is None else np.array(boxes, np.float32),
        load_mask=None if mask is None else lambda: mask,
    )


def predictions_and_truth(split: Split, protocol: str):
    predictions = predict_all(
        batches=split.batches(2),
        label_fn=split.predict_label,
        num_records=len(split.records),
    )
    return predictions, PROTOCOLS[protocol].load_truth(split.records, **SIZE)


def evaluate(split: Split, protocol: str, *, threshold=0.5, origin="fixed"):
    return PROTOCOLS[protocol].evaluate(
        *predictions_and_truth(split, protocol),
        records=split.records,
        score_threshold=threshold,
        threshold_origin=origin,
    )


def chosen_threshold(split: Split, protocol: str) -> float:
    predictions, truth = predictions_and_truth(split, protocol)
    return PROTOCOLS[protocol].choose_threshold(predictions, truth, split.records)


def opposed_split() -> Split:
    """Two images, each right at some threshold, never both at once.

    Both have 0.4 on a square of 20 around 1 on a square of 8. Image 0 is the large
    square, right for t < 0.4; image 1 is the small one, right from there on: one
    threshold for all gives 1 of 2, one for each image would give 2 of 2. The third has
    no true box.
    """
    score_map = np.maximum(0.4 * square_map(4, 4, 20), square_map(6, 6, 8))
    return Split(
        records=[
            record(0, [[4, 4, 24, 24]]), record(0, [[6, 6, 14, 14]]), record(1, None),
        ],
        outputs={
            names.SCORES: np.array([[0.9, 0.1]] * 3, np.float32),
            names.LOCALIZATION_MAP: np.stack([score_map] * 3),
            names.CAM: np.stack([score_map] * 3),
            names.BOXES: np.zeros([3, 4], np.float32),
            names.DEGENERATE: np.zeros(3, bool),
        },
    )  # fmt: skip


@pytest.fixture
def split() -> Split:
    """Five images, two classes.

    0: right class, right box.   1: wrong class, right box.   2: right class, map far
    too large (IoU 121 / 625 with the extra pixel).   3: no true box.   4: constant
    map, so the whole crop, and the second of its true boxes is the whole crop.
    """
    maps = [
        square_map(4, 4, 10),
        square_map(8, 8, 10),
        square_map(4, 4, 24),
        square_map(0, 0, 2),
        np.full([CROP, CROP], 0.25, np.float32),
    ]
    boxes = [
        [4, 4, 14, 14],
        [8, 8, 18, 18],
        [4, 4, 28, 28],
        [0, 0, 2, 2],
        [0, 0, 32, 32],
    ]
    mask = np.zeros([CROP, CROP], np.uint8)
    mask[4:14, 4:14] = 255
    scores = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.9, 0.1]]
    return Split(
        records=[
            record(0, [[4, 4, 14, 14]], mask),
            record(1, [[8, 8, 18, 18]]),
            record(1, [[4, 4, 14, 14]]),
            record(0, None),
            record(0, [[1, 1, 3, 3], [0, 0, 32, 32]]),
        ],
        outputs={
            names.SCORES: np.array(scores, np.float32),
            names.LOCALIZATION_MAP: np.stack(maps),
            names.BOXES: np.array(boxes, np.float32),
            names.DEGENERATE: np.array([0, 0, 0, 0, 1], bool),
        },
    )

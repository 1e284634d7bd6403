"""The table of protocols: what each does to images and boxes, and its evaluator."""

import dataclasses
from collections.abc import Callable
from types import ModuleType

from bas_tf.evaluators import (
    bas_protocol,
    ground_truth,
    maxboxacc_protocol,
    pxap_protocol,
)
from bas_tf.evaluators.figures import Evaluation
from bas_tf.evaluators.ground_truth import GroundTruth


@dataclasses.dataclass(frozen=True)
class Protocol:
    """One way to evaluate.

    Attributes:
      crops: images are resized and their middle is cut out; else they are resized to
        the network's input.
      takes_boxes: the boxes that the model drew at its own threshold are evaluated
        where the threshold's origin is "fixed"; else boxes are always made of the maps.
      needs_masks: there is nothing to evaluate without true masks.
      load_truth: (records, resize_size_wh=, crop_size_wh=) -> GroundTruth.
      choose_threshold: (predictions, truth, records) -> the best threshold on them.
      evaluate: (predictions, truth, records=, score_threshold=, threshold_origin=).
    """

    crops: bool
    takes_boxes: bool
    needs_masks: bool
    load_truth: Callable[..., GroundTruth]
    choose_threshold: Callable[..., float]
    evaluate: Callable[..., Evaluation]


def _protocol(evaluator: ModuleType, load_truth: Callable, **rules: bool) -> Protocol:
    return Protocol(
        load_truth=load_truth,
        choose_threshold=evaluator.choose_threshold,
        evaluate=evaluator.evaluate_predictions,
        **rules,
    )


PROTOCOLS = {
    "bas": _protocol(
        bas_protocol, ground_truth.load_ground_truth,
        crops=True, takes_boxes=True, needs_masks=False,
    ),
    "maxboxacc": _protocol(
        maxboxacc_protocol, ground_truth.load_resized_truth,
        crops=False, takes_boxes=False, needs_masks=False,
    ),
    "pxap": _protocol(
        pxap_protocol, ground_truth.load_resized_truth,
        crops=False, takes_boxes=False, needs_masks=True,
    ),
}  # fmt: skip

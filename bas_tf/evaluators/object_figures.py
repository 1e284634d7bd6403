"""Figures of protocol `bas` about all objects of a map, pooled over images."""

import numpy as np

from bas_tf.evaluators.figures import Facts, Figure, box_facts, pooled_figures
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.geometry.objects import objects_from_map
from bas_tf.metrics import detection


def object_figures(
    maps: np.ndarray, truth: GroundTruth, score_threshold: float, at: Facts
) -> dict[str, Figure]:
    """Precision and recall of all boxes against all true boxes.

    Images without true boxes do not count. `maps` are float32 [records, h, w], not
    normalised; `at` has the facts about the threshold and the map.
    """
    if not len(truth.images):
        return {}
    counts = []
    for image, true_boxes in zip(truth.images, truth.boxes, strict=True):
        boxes, _ = objects_from_map(
            maps[image],
            crop_size_wh=truth.crop_size_wh,
            score_threshold=score_threshold,
        )
        counts.append(detection.box_counts(boxes, true_boxes))
    facts = {**at, **box_facts(detection.IOU_THRESHOLD, detection.COMPARISON)}
    return pooled_figures(counts, detection.POOLED, average="boxes", facts=facts)

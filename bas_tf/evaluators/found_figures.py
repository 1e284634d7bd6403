"""Figures of protocol `bas` about `found`, of splits with photos without an object.

They are of the predicted class's map, as `found` is in `predictions.json`.
"""

from bas_tf.evaluators.figures import Facts, Figure, mean_figures
from bas_tf.evaluators.predictions import Predictions
from bas_tf.metrics.confidence import FOUND_CONFIDENCE, auroc
from bas_tf.metrics.localization import PREDICTED


def found_figures(
    predictions: Predictions, at: Facts
) -> tuple[dict[str, Figure], dict[str, float]]:
    """How many photos with and without an object are found, and the other metrics.

    There is nothing to say without photos of the class `predictions.no_object`, or of a
    model that does not classify.
    """
    is_empty = predictions.labels == predictions.no_object
    if predictions.object_scores is None or not is_empty.any():
        return {}, {}
    deployed = predictions.predicted or predictions
    confidences = deployed.confidences(at["score_thresholds"][0])
    is_found = (confidences >= FOUND_CONFIDENCE) & (
        predictions.first_class_ids != predictions.no_object
    )
    facts = {**at, "map_class": PREDICTED}
    figures = mean_figures({"none_found": is_found[is_empty]}, {"none_found": facts})
    counts = {"num_images_without_object": int(is_empty.sum())}
    if is_empty.all():
        return figures, counts
    figures |= mean_figures({"found": is_found[~is_empty]}, {"found": facts})
    area = auroc(confidences[~is_empty], confidences[is_empty])
    return figures, {**counts, "confidence_auroc": area}

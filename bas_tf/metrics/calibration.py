"""Whether a score says how often the class is right, or a confidence the IoU.

Images are put into bins of equal width by the probability p of their predicted class:
bin b of B has b / B < p <= (b + 1) / B, the first one p = 0 too. A model is well
calibrated where, in each bin, the share of right classes is the mean probability. The
expected calibration error (Guo et al., ICML 2017) is the mean distance between the two,
each bin weighted by its images:

  ECE = sum over b of n_b / n |accuracy_b - mean probability_b|

A box's confidence is a forecast of its IoU; there the IoU takes the place of the
accuracy.
"""

import dataclasses

import numpy as np

from bas_tf.metrics.by_class import means_by_class

NUM_BINS = 10
_ROUNDING = 1e-5  # of a float32 softmax


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Predicted probability against accuracy, bin by bin.

    Attributes:
      edges: float64 [bins + 1], from 0 to 1.
      counts: int64 [bins], images.
      mean_probabilities: float64 [bins], NaN for a bin without images.
      accuracies: float64 [bins], share of right classes, or the mean IoU; NaN likewise.
      num_without_score: images whose probability is NaN; they are in no bin.
    """

    edges: np.ndarray
    counts: np.ndarray
    mean_probabilities: np.ndarray
    accuracies: np.ndarray
    num_without_score: int

    @property
    def expected_calibration_error(self) -> float:
        """See the module; in [0, 1], NaN without any image."""
        filled = self.counts > 0
        if not filled.any():
            return float("nan")
        gaps = np.abs(self.accuracies - self.mean_probabilities)[filled]
        return float(np.average(gaps, weights=self.counts[filled]))


def reliability(
    probabilities: np.ndarray, outcomes: np.ndarray, *, num_bins: int = NUM_BINS
) -> Reliability:
    """Bins the images by the probability of their predicted class.

    Args:
      probabilities: [n] float in [0, 1], of the first predicted class; NaN where there
        is none.
      outcomes: [n], whether that class is the true one; or, of confidences, IoUs.

    Raises:
      ValueError: a probability outside [0, 1] by more than rounding.
    """
    probabilities = np.asarray(probabilities, np.float64)
    known = ~np.isnan(probabilities)
    p, outcomes = probabilities[known], np.asarray(outcomes, np.float64)[known]
    if ((p < -_ROUNDING) | (p > 1 + _ROUNDING)).any():
        raise ValueError(
            f"reliability: probabilities span {p.min():g}..{p.max():g}, expected 0..1"
        )
    edges = np.arange(num_bins + 1) / num_bins
    bins = np.digitize(p, edges[1:-1], right=True)
    return Reliability(
        edges=edges,
        counts=np.bincount(bins, minlength=num_bins),
        mean_probabilities=means_by_class(p, bins, num_bins),
        accuracies=means_by_class(outcomes, bins, num_bins),
        num_without_score=int((~known).sum()),
    )

"""Top-1 and top-5 accuracy."""

from collections.abc import Mapping

import numpy as np

TOP_K = {"top1_acc": 1, "top5_acc": 5}


def top_class_ids(scores: np.ndarray, *, k: int = 5) -> np.ndarray:
    """The best classes of each image, of scores [batch, classes].

    Returns:
      int32 [batch, min(k, classes)], best first; the lower id first where scores are
      equal, -1 (no class) in place of a NaN score.
    """
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # NaN goes last
    missing = np.isnan(np.take_along_axis(scores, order, axis=1))
    return np.where(missing, -1, order).astype(np.int32)


def is_within_top(class_ids: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Whether the label is among the first k of [batch, n] classes: bool [batch]."""
    return (class_ids[:, :k] == np.asarray(labels)[:, np.newaxis]).any(axis=1)


def classification_values(
    class_ids: np.ndarray, labels: np.ndarray
) -> Mapping[str, np.ndarray]:
    """Whether each image's class is right, for each of TOP_K: {name: bool [n]}."""
    return {name: is_within_top(class_ids, labels, k) for name, k in TOP_K.items()}

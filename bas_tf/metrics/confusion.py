"""Which class is taken for which."""

import dataclasses

import numpy as np

NO_CLASS = -1  # predicted where the model gave no score at all


@dataclasses.dataclass(frozen=True)
class Confusion:
    """How many images of a class, `label`, were given another one, or NO_CLASS."""

    label: int
    predicted: int
    count: int


def confusion_counts(
    labels: np.ndarray, predicted: np.ndarray, num_classes: int
) -> np.ndarray:
    """Images by true class and predicted class.

    Args:
      labels: int [n], in [0, num_classes).
      predicted: int [n], in [0, num_classes) or NO_CLASS.
      num_classes: classes.

    Returns:
      int64 [num_classes, num_classes + 1]: a row for each true class, a column for
      each predicted one, and last a column for NO_CLASS.
    """
    columns = np.where(predicted == NO_CLASS, num_classes, predicted)
    counts = np.zeros([num_classes, num_classes + 1], np.int64)
    np.add.at(counts, (labels, columns), 1)
    return counts


def confusions(counts: np.ndarray) -> list[Confusion]:
    """Every confusion of `confusion_counts`, the most frequent first, then by class."""
    num_classes = len(counts)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    rows, columns = np.nonzero(wrong)
    order = np.argsort(-wrong[rows, columns], kind="stable")
    return [
        Confusion(
            label=int(rows[i]),
            predicted=NO_CLASS if columns[i] == num_classes else int(columns[i]),
            count=int(wrong[rows[i], columns[i]]),
        )
        for i in order
    ]

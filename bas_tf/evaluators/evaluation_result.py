"""An evaluation with everything that is shown of it."""

import dataclasses
from collections.abc import Sequence

from bas_tf.data.pipeline import ResizedImages
from bas_tf.data.records import Record
from bas_tf.evaluators.figures import Evaluation
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.evaluators.predictions import Predictions


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """A model's figures on a split, with everything that the page shows of it.

    Attributes:
      document: the content of metrics.json, made from the evaluation.
      truth: true boxes in the crop frame.
      images: the split's images at the resize size.
      class_names: in the order of class ids.
      config: of data and evaluation, to be shown; evaluators do not read it.
    """

    document: dict
    evaluation: Evaluation
    records: Sequence[Record]
    predictions: Predictions
    truth: GroundTruth
    images: ResizedImages
    class_names: tuple[str, ...]
    config: object

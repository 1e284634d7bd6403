"""Photos to their objects, a batch at a time."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bas_tf import names
from bas_tf.annotation.data_set import Object, Photo
from bas_tf.geometry import components
from bas_tf.jobs import localization
from bas_tf.refinement import masks, refined_boxes
from bas_tf.runners import Runner


class Annotator:
    """Finds the object of photos.

    Args:
      runner: the model.
      with_masks: whether objects have masks: the refined one, or the map cut at the
        model's threshold. Boxes are then those of the masks.
      refine: of `refined_boxes.REFINEMENTS`.
      min_confidence: photos below it get no object, see `metrics.confidence`.

    Raises:
      UserError: masks or a refinement of a model that does not say its threshold.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        with_masks: bool,
        refine: str,
        min_confidence: float = 0.0,
    ):
        self._min_confidence = min_confidence
        self._runner, self._with_masks, self._refine = runner, with_masks, refine
        if with_masks or refine != refined_boxes.NONE:
            refined_boxes.threshold_of(runner)

    def annotate(
        self, batch: Sequence[tuple[str, np.ndarray]], labels: Mapping[str, int]
    ) -> Iterator[Photo]:
        """The photos of a batch with their objects.

        Args:
          batch: names and pixels, uint8 [height, width, 3].
          labels: the class ids by name; empty to take the predicted ones.
        """
        given = [labels[name] for name, _ in batch] if labels else None
        answers = localization.predict_photos(
            [photo for _, photo in batch], self._runner,
            refine=self._refine, labels=given,
        )  # fmt: skip
        for (name, photo), answer in zip(batch, answers, strict=True):
            label = labels[name] if labels else int(np.argmax(answer[names.SCORES]))
            is_found = answer[names.CONFIDENCE] >= self._min_confidence
            objects = (self._object(photo, answer, label),) if is_found else ()
            yield Photo(name, photo.shape[1::-1], objects)

    def _object(self, photo: np.ndarray, answer: Mapping, label: int) -> Object:
        box, degenerate = answer[names.BOXES], answer[names.DEGENERATE]
        mask = None
        if self._with_masks:
            pixels = self._pixels(photo, answer)
            box, degenerate = masks.box_of_mask(pixels)
            mask = components.largest_component(pixels)
        # A file scores its best classes alone, one of a given class none.
        scores = answer.get(names.SCORES)
        return Object(
            label=self._runner.class_names[label],
            score=None if scores is None else min(float(scores[label]), 1.0) or None,
            box=tuple(round(float(value), 2) for value in box),
            degenerate=bool(degenerate),
            confidence=round(answer[names.CONFIDENCE], 4),
            mask=None if mask is None else masks.run_lengths(mask),
        )

    def _pixels(self, photo: np.ndarray, answer: Mapping) -> np.ndarray:
        """The refined mask, or else the map cut at the threshold."""
        if localization.MASK in answer:
            return answer[localization.MASK]
        return refined_boxes.refined_mask(
            photo,
            answer[names.LOCALIZATION_MAP],
            refine=refined_boxes.NONE,
            score_threshold=refined_boxes.threshold_of(self._runner),
        )

"""Photos to their objects, a batch at a time.

A network that labels pixels has one object of each class found in the photo, its
largest region; of given labels, that of the photo's class alone.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

import numpy as np

from bas_tf import names
from bas_tf.annotation.data_set import Object, Photo
from bas_tf.annotation.settings import Settings
from bas_tf.errors import UserError
from bas_tf.geometry import components, objects
from bas_tf.jobs import localization
from bas_tf.jobs.found_classes import found_classes
from bas_tf.metrics.confidence import is_found
from bas_tf.refinement import masks, refined_boxes
from bas_tf.runners import Runner


class Annotator:
    """Finds the object of photos, or all of them.

    Raises:
      UserError: masks or a refinement of a model that does not say its threshold;
        a refinement or objects.ALL of one that labels pixels.
    """

    def __init__(self, runner: Runner, settings: Settings):
        self._runner, self._settings = runner, settings
        if runner.labels_pixels:
            _check_unchanged("boxes", settings.boxes, objects.ONE)
            _check_unchanged("refine", settings.refine, refined_boxes.NONE)
        elif settings.with_masks or settings.refine != refined_boxes.NONE:
            refined_boxes.threshold_of(runner)

    def annotate(
        self,
        batches: Iterable[Sequence[tuple[str, np.ndarray]]],
        labels: Mapping[str, int],
    ) -> Iterator[Photo]:
        """The photos with their objects.

        Args:
          batches: of names and pixels, uint8 [height, width, 3].
          labels: the class ids by name; empty to take the predicted ones.
        """
        answers = localization.predict_photos(
            batches, self._runner, refine=self._settings.refine, labels=labels,
            boxes=objects.ONE if self._settings.with_masks else self._settings.boxes,
        )  # fmt: skip
        for name, photo, answer in answers:
            label = labels[name] if labels else int(np.argmax(answer[names.SCORES]))
            found, class_name = [], self._runner.class_names[label]
            least = self._settings.min_confidence
            if is_found(class_name, answer[names.CONFIDENCE], least):
                wanted = {label} if labels else range(len(self._runner.class_names))
                found = self._objects(photo, answer, label, wanted)
            yield Photo(name, photo.shape[1::-1], tuple(found))

    def _objects(
        self, photo: np.ndarray, answer: Mapping, label: int, wanted: Container[int]
    ) -> Iterator[Object]:
        """Those of the label, or of all wanted ones where pixels are labelled."""
        if names.SEGMENTATION not in answer:
            for each in self._found(photo, answer):
                yield self._object(answer, label, *each)
            return
        size_wh, class_names = photo.shape[1::-1], self._runner.class_names
        for each in found_classes(answer[names.SEGMENTATION], size_wh, class_names):
            label = class_names.index(each["class"])
            if label in wanted:
                mask = each["mask_rle"] if self._settings.with_masks else None
                yield self._object(answer, label, each["box"], False, mask)

    def _found(self, photo: np.ndarray, answer: Mapping) -> Iterator[tuple]:
        """Box, whether nothing was found, and mask of each object."""
        if not self._settings.with_masks:
            of_map = [answer[names.BOXES]]
            for box in answer.get(localization.OBJECTS, [of_map])[0]:
                yield box, answer[names.DEGENERATE], None
            return
        pixels = self._pixels(photo, answer)
        if self._settings.boxes == objects.ONE or not pixels.any():
            largest = components.largest_component(pixels)
            mask = None if largest is None else masks.run_lengths(largest)
            yield *masks.box_of_mask(pixels), mask
            return
        labels = objects.label_objects(pixels)
        for i, box in enumerate(objects.boxes_of_labels(labels)[0], start=1):
            yield box, False, masks.run_lengths(labels == i)

    def _object(
        self,
        answer: Mapping,
        label: int,
        box: Sequence[float],
        degenerate: bool,
        mask: dict[str, list[int]] | None,
    ) -> Object:
        # A file scores its best classes alone, one of a given class none.
        scores = answer.get(names.SCORES)
        return Object(
            label=self._runner.class_names[label],
            score=None if scores is None else min(float(scores[label]), 1.0) or None,
            box=tuple(round(float(value), 2) for value in box),
            degenerate=bool(degenerate),
            confidence=round(answer[names.CONFIDENCE], 4),
            mask=mask,
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


def _check_unchanged(name: str, value: str, default: str) -> None:
    if value != default:
        raise UserError(
            f"{name}={value}: the model labels pixels, an object is the largest region "
            f"of its class; leave out {name}"
        )

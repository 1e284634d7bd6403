"""Photos to their objects, a batch at a time."""

import collections
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bas_tf import names
from bas_tf.annotation.data_set import Object, Photo
from bas_tf.data import decode
from bas_tf.data.images import READERS
from bas_tf.errors import DataError, one_line
from bas_tf.geometry import components, objects
from bas_tf.jobs import localization
from bas_tf.refinement import masks, refined_boxes
from bas_tf.runners import Runner

_BATCH_PIXELS = 25_000_000  # decoded photos of a batch; 75 MB
Pixels = tuple[str, np.ndarray]  # a photo's name and uint8 [height, width, 3]


def read_batches(
    photos: Mapping[str, Path], faults: list[str]
) -> Iterator[list[Pixels]]:
    """Names and pixels, decoded by threads ahead of their use; few at a time."""
    batch, pixels = [], 0
    for name, photo in _decoded(photos, faults):
        batch.append((name, photo))
        pixels += photo.shape[0] * photo.shape[1]
        if len(batch) == localization.BATCH or pixels > _BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _decoded(photos: Mapping[str, Path], faults: list[str]) -> Iterator[Pixels]:
    waiting = collections.deque()
    with ThreadPoolExecutor(READERS) as pool:
        remaining = iter(photos.items())
        while True:
            while len(waiting) < READERS + 2 and (entry := next(remaining, None)):
                name, path = entry
                waiting.append((name, pool.submit(decode.decode_image, path)))
            if not waiting:
                return
            name, future = waiting.popleft()
            try:
                yield name, future.result()
            except DataError as error:
                faults.append(one_line(error))


class Annotator:
    """Finds the object of photos, or all of them.

    Args:
      runner: the model.
      with_masks: whether objects have masks: the refined one, or the map cut at the
        model's threshold. Boxes are then those of the masks.
      refine: of `refined_boxes.REFINEMENTS`.
      boxes: of `objects.BOXES`.

    Raises:
      UserError: masks or a refinement of a model that does not say its threshold.
    """

    def __init__(
        self, runner: Runner, *, with_masks: bool, refine: str, boxes: str = objects.ONE
    ):
        self._runner, self._with_masks, self._refine = runner, with_masks, refine
        self._boxes = boxes
        if with_masks or refine != refined_boxes.NONE:
            refined_boxes.threshold_of(runner)

    def annotate(
        self, batch: Sequence[Pixels], labels: Mapping[str, int]
    ) -> Iterator[Photo]:
        """The photos of a batch with their objects.

        Args:
          batch: names and pixels.
          labels: the class ids by name; empty to take the predicted ones.
        """
        given = [labels[name] for name, _ in batch] if labels else None
        answers = localization.predict_photos(
            [photo for _, photo in batch], self._runner,
            refine=self._refine, labels=given,
            boxes=objects.ONE if self._with_masks else self._boxes,
        )  # fmt: skip
        for (name, photo), answer in zip(batch, answers, strict=True):
            label = labels[name] if labels else int(np.argmax(answer[names.SCORES]))
            found = [
                self._object(answer, label, *each)
                for each in self._found(photo, answer)
            ]
            yield Photo(name, photo.shape[1::-1], tuple(found))

    def _found(self, photo: np.ndarray, answer: Mapping) -> Iterator[tuple]:
        """Box, whether nothing was found, and mask of each object."""
        if not self._with_masks:
            of_map = [answer[names.BOXES]]
            for box in answer.get(localization.OBJECTS, [of_map])[0]:
                yield box, answer[names.DEGENERATE], None
            return
        pixels = self._pixels(photo, answer)
        if self._boxes == objects.ONE or not pixels.any():
            yield *masks.box_of_mask(pixels), components.largest_component(pixels)
            return
        labels = objects.label_objects(pixels)
        for i, box in enumerate(objects.boxes_of_labels(labels)[0], start=1):
            yield box, False, labels == i

    def _object(
        self, answer: Mapping, label: int, box: np.ndarray, degenerate, mask
    ) -> Object:
        # A file scores its best classes alone, one of a given class none.
        scores = answer.get(names.SCORES)
        return Object(
            label=self._runner.class_names[label],
            score=None if scores is None else min(float(scores[label]), 1.0) or None,
            box=tuple(round(float(value), 2) for value in box),
            degenerate=bool(degenerate),
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

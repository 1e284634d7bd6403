"""How photos are annotated, as the flags of bas_tf.annotate say."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from bas_tf.annotation import coco, crops, cvat, label_studio, review, voc, yolo
from bas_tf.annotation.data_set import DataSet
from bas_tf.errors import UserError, check_choice
from bas_tf.geometry import objects
from bas_tf.refinement import refined_boxes

FORMATS: dict[str, Callable[[DataSet, Path], None]] = {
    "coco": coco.write,
    "yolo": yolo.write,
    "voc": voc.write,
    "labelstudio": label_studio.write,
    "cvat": cvat.write,
    "crops": crops.write,
    "review": review.write,
}
ORDERS = PHOTOS, CONFIDENCE = "photos", "confidence"
# A file a photo; CVAT shows the frames of its task in their own order.
WITHOUT_ORDER = ("yolo", "voc", "cvat", "crops")
WITHOUT_MASKS = ("voc",)  # its masks are pictures with a palette, and rarely read


@dataclasses.dataclass(frozen=True)
class Settings:
    """Checked when made.

    Attributes:
      data_format: of FORMATS.
      known_labels: classes are those that the photos' folders are named after.
      with_masks: whether objects have masks: the refined one, or the map cut at the
        model's threshold. Boxes are then those of the masks.
      refine: of `refined_boxes.REFINEMENTS`.
      min_confidence: photos below it get no object, see `metrics.confidence`; nor do
        those of the class names.NO_OBJECT.
      boxes: of `objects.BOXES`.
      margin: of crops alone, see `crops.region`; None is `crops.MARGIN`.
      order: of ORDERS; by CONFIDENCE the least certain photo is first.

    Raises:
      UserError: one that is unknown, or that the format does not have.
    """

    data_format: str
    known_labels: bool = False
    with_masks: bool = False
    refine: str = refined_boxes.NONE
    min_confidence: float = 0.0
    boxes: str = objects.ONE
    margin: float | None = None
    order: str = PHOTOS

    def __post_init__(self):
        check_choice("refine", self.refine, refined_boxes.REFINEMENTS)
        check_choice("boxes", self.boxes, objects.BOXES)
        check_choice("format", self.data_format, FORMATS)
        check_choice("order", self.order, ORDERS)
        lacks = f"format {self.data_format} has no"
        if self.with_masks and self.data_format in WITHOUT_MASKS:
            raise UserError(f"{lacks} masks; leave out masks")
        if self.order != PHOTOS and self.data_format in WITHOUT_ORDER:
            raise UserError(f"{lacks} order; leave out order")
        if self.margin is not None and self.data_format != "crops":
            raise UserError(f"{lacks} margin; leave out margin")
        if self.margin is not None and not 0 <= self.margin <= 1:
            raise UserError(f"margin is {self.margin}; 0 to 1")

    @property
    def of_answers(self) -> dict:
        """What the answers for photos depend on, so that no other run goes on."""
        found = {
            "known_labels": self.known_labels,
            "masks": self.with_masks,
            "refine": self.refine,
            "min_confidence": self.min_confidence,
        }
        # A journal of before there was a choice has no key for it.
        return found if self.boxes == objects.ONE else found | {"boxes": self.boxes}

    @property
    def crop_margin(self) -> float:
        return crops.MARGIN if self.margin is None else self.margin

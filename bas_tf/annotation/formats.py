"""The table of formats."""

from collections.abc import Callable
from pathlib import Path

from bas_tf.annotation import coco, crops, cvat, label_studio, review, voc, yolo
from bas_tf.annotation.data_set import DataSet

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

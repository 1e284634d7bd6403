"""Keys of batches and model outputs, defined once for all code.

Shapes use: batch, height x width of the network's input, h x w of the feature map
(stride 8; 16 on request), h' x w' of the class maps (stride 16), classes.
"""

from collections.abc import Sequence

# Classes ---------------------------------------------------------------------
NO_OBJECT = "_none"  # of photos without an object, see "Nothing there" in own_photos.md


def no_object_id(class_names: Sequence[str]) -> int | None:
    """The class id of NO_OBJECT; None where the classes have no such class."""
    return class_names.index(NO_OBJECT) if NO_OBJECT in class_names else None


# Batches ---------------------------------------------------------------------
IMAGES = "images"  # [batch, height, width, 3] uint8 or float32, 0..255, RGB
# [batch, height, width, 1] uint8: 255 object, 0 background, 128 unsure; of label maps
# k + 1 class k, 0 background, 255 unsure
MASKS = "masks"
LABELS = "labels"  # [batch] int32, class ids in [0, classes)
PRESENT = "present"  # [batch, classes] uint8, 1 for each class in the image, LABELS too
INDEX = "index"  # [batch] int64, position of each image in its split's records
PADDING = -1  # the INDEX of examples that only fill up a batch

# Intermediate outputs --------------------------------------------------------
FEATURES = "features"  # F, [batch, h, w, channels] float
CLASS_MAPS = "class_maps"  # A, [batch, h', w', classes] float, >= 0 with final ReLU
LOGITS = "logits"  # S = GAP(A), [batch, classes] float32; softmax gives scores
FOREGROUND_LOGITS = "foreground_logits"  # GAP(A avgpool2x2(M_y)), [batch, classes]
FOREGROUND_MAP = "foreground_map"  # M_y, [batch, h, w, 1] in [0, 1]
ACTIVATION = "activation"  # S_y, [batch]
BACKGROUND_ACTIVATION = "background_activation"  # S^b_y, [batch]

# Predictions -----------------------------------------------------------------
CLASS_IDS = "class_ids"  # [batch, min(5, classes)] int32, best first
SCORES = "scores"  # [batch, classes or min(5, classes)] float32, softmax
LOCALIZATION_MAP = "localization_map"  # top-k mean of maps, [batch, h, w, 1] in [0, 1]
CAM = "cam"  # class map of the predicted class, [batch, h', w', 1] float32
BOXES = "boxes"  # [batch, 4] float32, x0, y0, x1, y1, half-open, pixels of the input
DEGENERATE = "degenerate"  # [batch] bool, true where the box is the whole image
CONFIDENCE = "confidence"  # float in [0, 1] of each box, see `metrics.confidence`
# Of a network with a softmax of maps: each pixel's label, 0 background, k + 1 class k.
SEGMENTATION = "segmentation"  # [batch, height, width] uint8, pixels of the input
UNSURE_LABEL = 255  # of a pixel in label maps and in true masks of classes
# The same for the image's label, which only an evaluation knows; with a top-k mean the
# map is that mean. See "Whose map" in docs/method.md.
LABEL_MAP = "label_map"
LABEL_CAM = "label_cam"
LABEL_BOXES = "label_boxes"
LABEL_DEGENERATE = "label_degenerate"
_LABEL_KEYS = {
    LOCALIZATION_MAP: LABEL_MAP,
    CAM: LABEL_CAM,
    BOXES: LABEL_BOXES,
    DEGENERATE: LABEL_DEGENERATE,
}


def of_label(outputs: dict) -> dict:
    """A prediction's maps and boxes under the keys of the label."""
    return {_LABEL_KEYS[key]: v for key, v in outputs.items() if key in _LABEL_KEYS}


def as_prediction(outputs: dict) -> dict:
    """Outputs with the label's maps and boxes in place of the prediction's."""
    return {
        **outputs,
        **{k: outputs[v] for k, v in _LABEL_KEYS.items() if v in outputs},
    }


# Losses ----------------------------------------------------------------------
HAS_MASK = "has_mask"  # [batch] bool
MASK_LOSS = "mask_loss"  # L_mask, [batch]; 0 without a pseudo-mask
LABEL_MAP_LOSS = "label_map_loss"  # L_seg, [batch]; 0 without a label map
CLASSIFICATION_LOSS = "classification_loss"  # L_cls, [batch]
FOREGROUND_REGION_GUIDANCE_LOSS = "foreground_region_guidance_loss"  # L_frg, [batch]
AREA_CONSTRAINT_LOSS = "area_constraint_loss"  # L_ac, [batch]
BACKGROUND_ACTIVATION_SUPPRESSION_LOSS = "background_activation_suppression_loss"
FOREGROUND_CROSS_ENTROPY_LOSS = "foreground_cross_entropy_loss"  # L_ce, [batch]
LOSS = "loss"  # the weighted sum, scalar after averaging

# Exported files --------------------------------------------------------------
SIGNATURE = "serving_default"  # the signature that every file answers to
LABELS_FILE = "labels.txt"  # class names, one per line, in the order of class ids

# Served models ---------------------------------------------------------------
TENSOR_SIGNATURE = "serving_tensor"  # takes pixels; SIGNATURE takes encoded files
CLASS_SIGNATURE = "localize_class"  # like SIGNATURE, the box of a given class
TENSOR_CLASS_SIGNATURE = "localize_class_tensor"  # CLASS_SIGNATURE for pixels
HEATMAP_SIGNATURE = "heatmap"  # like SIGNATURE, also with the map
IMAGE_BYTES = "image_bytes"  # [batch] string, whole files: JPEG, PNG or BMP
CLASS_NAMES = "class_names"  # [batch, min(5, classes)] string, those of CLASS_IDS
IMAGE_SIZE = "image_size"  # [batch, 2] int32, width and height of the image as sent
STATUS = "status"  # [batch] int32, 0 good; see `bas_tf.export.artifacts.decoding`
HEATMAP_BYTES = "heatmap_bytes"  # [batch] string, the normalized map as grey PNG

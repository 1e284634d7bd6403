"""What a SavedModel computes behind TensorFlow Serving, and its signatures' names."""

import functools
from collections.abc import Sequence

import tensorflow as tf

from bas_tf import inference, names
from bas_tf.export.artifacts import decoding, signatures
from bas_tf.export.artifacts.box_confidence import box_confidence
from bas_tf.models.localizer import Localizer
from bas_tf.ops import score_maps

NO_CLASS = -1


class ServerModel:
    """A localizer that takes images of any size, encoded or as pixels.

    Images are resized to the network's size inside the graph (antialiased bilinear,
    aspect not kept, rounded to whole pixels). All inputs and outputs are batched in
    their first dimension, and an image's answer does not depend on its batch mates.

    Args:
      class_names: in the order of class ids.
      score_threshold: where the normalised map is cut, in [0, 1).
    """

    def __init__(
        self,
        localizer: Localizer,
        *,
        class_names: Sequence[str],
        input_size_wh: tuple[int, int],
        score_threshold: float,
    ):
        self._localizer = localizer
        self._class_names = tuple(class_names)
        self._size_hw = (input_size_wh[1], input_size_wh[0])
        self._score_threshold = score_threshold
        pixels = tf.TensorSpec([None, *self._size_hw, 3], tf.uint8)
        options = {"score_threshold": score_threshold}
        # Separate functions: the signatures share one trace of the network each.
        self._localized = signatures.graph_function(
            functools.partial(signatures.localized, localizer, **options), [pixels]
        )
        self._localized_class = signatures.graph_function(
            functools.partial(inference.predict_given_class, localizer, **options),
            [pixels, tf.TensorSpec([None], tf.int32)],
        )

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """{signature: its function}.

        `serving_default`: names.IMAGE_BYTES -> CLASS_IDS, CLASS_NAMES, SCORES, BOXES in
          pixels of the image as sent, DEGENERATE, CONFIDENCE, IMAGE_SIZE, STATUS.
        `localize_class`: also CLASS_IDS int32 [batch] -> the same outputs, the best
          classes among them, with the box of the given class.
        `heatmap`: the inputs and outputs of `serving_default`, LOCALIZATION_MAP, and
          HEATMAP_BYTES: the map scaled to [0, 1] as a grey PNG of the network's size,
          to be stretched over the image. Of a softmax of maps SEGMENTATION, too.
        `serving_tensor`: names.IMAGES uint8 [batch, H, W, 3] -> the outputs of
          `heatmap` without HEATMAP_BYTES and STATUS.
        `localize_class_tensor`: also CLASS_IDS int32 [batch], all known -> the same
          outputs, the best classes among them, with map and box of the given class.

        A row whose STATUS is not 0 has CLASS_IDS -1, names "", zeros, an empty PNG, and
        is DEGENERATE. An empty batch, a class for some images only, pixels of another
        rank or channel count are errors of the whole call (INVALID_ARGUMENT).
        """
        encoded = tf.TensorSpec([None], tf.string, name=names.IMAGE_BYTES)
        class_ids = tf.TensorSpec([None], tf.int32, name=names.CLASS_IDS)
        images = tf.TensorSpec([None, None, None, 3], tf.uint8, name=names.IMAGES)
        functions = {
            names.SIGNATURE: (self._localize, [encoded]),
            names.CLASS_SIGNATURE: (self._localize_class, [encoded, class_ids]),
            names.HEATMAP_SIGNATURE: (self._heatmap, [encoded]),
            names.TENSOR_SIGNATURE: (self._localize_pixels, [images]),
            names.TENSOR_CLASS_SIGNATURE: (
                self._localize_class_pixels, [images, class_ids]
            ),
        }  # fmt: skip
        return {
            name: signatures.graph_function(*function)
            for name, function in functions.items()
        }

    def trackable(self) -> tf.Module:
        """What `tf.saved_model.save` takes next to the signatures: the variables.

        Not the layers, whose Keras variables are saved twice: Python then restores one
        half and a server the other, and its first request fails.
        """
        module = tf.Module()
        module.weights = [variable.value for variable in self._localizer.variables]
        return module

    def _localize(self, image_bytes):
        outputs, status = self._of_files(image_bytes)
        short = _without(outputs, names.LOCALIZATION_MAP, names.SEGMENTATION)
        return _with_status(short, status)

    def _localize_class(self, image_bytes, class_ids):
        images, size_wh, status = self._decoded(image_bytes)
        outputs, known = self._of_class(images, class_ids, size_wh, names.IMAGE_BYTES)
        unknown = (status == decoding.GOOD) & ~known
        status = tf.where(unknown, decoding.UNKNOWN_CLASS, status)
        return _with_status(_without(outputs, names.LOCALIZATION_MAP), status)

    def _heatmap(self, image_bytes):
        outputs, status = self._of_files(image_bytes)
        normalized = score_maps.normalize_min_max(outputs[names.LOCALIZATION_MAP])
        resized = score_maps.resize_bilinear(normalized, self._size_hw)
        grey = tf.cast(tf.round(255 * resized), tf.uint8)
        outputs[names.HEATMAP_BYTES] = tf.io.encode_png(grey)
        return _with_status(outputs, status)

    def _localize_pixels(self, images):
        return self._predicted(*self._network_pixels(images))

    def _network_pixels(self, images):
        """Pixels of the network's size, and the size of each image as sent."""
        images = _checked_pixels(images)
        count = tf.shape(images)[0]
        size_wh = tf.tile(tf.shape(images)[tf.newaxis, 2:0:-1], [count, 1])
        return decoding.resize(images, self._size_hw), size_wh

    def _localize_class_pixels(self, images, class_ids):
        images, size_wh = self._network_pixels(images)
        outputs, known = self._of_class(images, class_ids, size_wh, names.IMAGES)
        with tf.control_dependencies([tf.debugging.assert_equal(known, True)]):
            return {key: tf.identity(value) for key, value in outputs.items()}

    def _of_class(self, images, class_ids, size_wh, of_input: str):
        """The outputs with the box of each given class, and whether it is known."""
        class_ids = _checked_shape(class_ids, [None])
        same_count = tf.debugging.assert_equal(
            tf.size(class_ids),
            tf.shape(images)[0],
            f"{names.CLASS_IDS}: one for each of {of_input} is needed",
        )
        num_classes = len(self._class_names)
        with tf.control_dependencies([same_count]):
            class_ids = tf.identity(class_ids)  # the network waits for the check
        known_ids = tf.clip_by_value(class_ids, 0, num_classes - 1)
        outputs = self._localized_class(images, known_ids)
        best = signatures.top_classes(outputs[names.SCORES])
        known = (class_ids >= 0) & (class_ids < num_classes)
        return self._in_sent_pixels({**outputs, **best}, size_wh), known

    def _of_files(self, image_bytes):
        """The outputs of every row, as if it were GOOD, and the status."""
        images, size_wh, status = self._decoded(image_bytes)
        return self._predicted(images, size_wh), status

    def _decoded(self, image_bytes):
        image_bytes = _checked_shape(image_bytes, [None])
        some = tf.debugging.assert_positive(
            tf.size(image_bytes), f"{names.IMAGE_BYTES}: an empty batch; send an image"
        )
        with tf.control_dependencies([some]):
            return decoding.decode_batch(image_bytes, self._size_hw)

    def _predicted(self, images, size_wh):
        return self._in_sent_pixels(self._localized(images), size_wh)

    def _in_sent_pixels(self, outputs, size_wh):
        """The outputs with names and confidence, boxes in images of these sizes."""
        scale = signatures.box_scale(size_wh, self._size_hw)
        class_names = tf.gather(self._class_names, outputs[names.CLASS_IDS])
        of_objects = tf.where(
            class_names == names.NO_OBJECT, 0.0, outputs[names.SCORES]
        )
        return {
            **outputs,
            names.CLASS_NAMES: class_names,
            names.CONFIDENCE: box_confidence(
                of_objects,
                outputs[names.LOCALIZATION_MAP],
                score_threshold=self._score_threshold,
            ),
            names.BOXES: outputs[names.BOXES] * scale,
            names.IMAGE_SIZE: size_wh,
        }


def _without(outputs: dict[str, tf.Tensor], *keys: str) -> dict[str, tf.Tensor]:
    return {key: value for key, value in outputs.items() if key not in keys}


def _with_status(outputs: dict[str, tf.Tensor], status) -> dict[str, tf.Tensor]:
    """The outputs with STATUS, and with nothing told of rows that are not GOOD."""
    good = status == decoding.GOOD
    blank = {
        names.CLASS_IDS: NO_CLASS, names.CLASS_NAMES: "", names.HEATMAP_BYTES: "",
        names.DEGENERATE: True,
    }  # fmt: skip

    def told(key, value):
        if key == names.IMAGE_SIZE:  # known of what is too large as well
            return value
        row = tf.reshape(good, [-1] + [1] * (value.shape.rank - 1))
        return tf.where(row, value, tf.constant(blank.get(key, 0), value.dtype))

    kept = {key: told(key, value) for key, value in outputs.items()}
    return {**kept, names.STATUS: status}


def _checked_shape(tensor: tf.Tensor, shape: list) -> tf.Tensor:
    """The tensor, or an error; a server does not compare inputs with the signature."""
    # What the graph knows of the shape would make the check of it disappear.
    unknown = tf.compat.v1.placeholder_with_default(tensor, None)
    return tf.ensure_shape(unknown, shape)


def _checked_pixels(images):
    images = _checked_shape(images, [None, None, None, 3])
    some = tf.debugging.assert_positive(
        tf.shape(images)[:3],
        f"{names.IMAGES}: empty; send at least one image of at least one pixel",
    )
    fits = tf.debugging.assert_less_equal(
        tf.shape(images)[1:3],
        decoding.LONGEST,
        f"{names.IMAGES}: a side has more than {decoding.LONGEST} pixels",
    )
    with tf.control_dependencies([some, fits]):
        return tf.identity(images)

"""What every exported file computes, and the names it answers to."""

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from bas_tf import inference, names
from bas_tf.models.localizer import Localizer

TOP = 5  # classes reported; fewer when there are fewer


class ServedLocalizer(tf.Module):
    """A localizer as a servable: uint8 images in, classes and boxes out.

    Args:
      localizer: a trained localizer.
      input_size_wh: the size that the network sees; other images are resized to it
        inside the graph (antialiased bilinear, aspect not kept).
      score_threshold: where the normalised map is cut, in [0, 1).
    """

    def __init__(
        self,
        localizer: Localizer,
        *,
        input_size_wh: tuple[int, int],
        score_threshold: float,
    ):
        super().__init__(name="served_localizer")
        self.localizer = localizer
        self.input_size_wh = input_size_wh
        self._size_hw = (input_size_wh[1], input_size_wh[0])
        self._score_threshold = score_threshold

    def flexible_signature(self):
        """A concrete function for images of any size: uint8 [batch, H, W, 3]."""
        spec = tf.TensorSpec([None, None, None, 3], tf.uint8, name=names.IMAGES)

        def serve(images):
            sent_hw = tf.shape(images)[1:3]
            resized = tf.image.resize(images, self._size_hw, antialias=True)
            outputs = self._outputs(resized)
            scale = tf.cast(sent_hw, tf.float32) / tf.constant(
                self._size_hw, tf.float32
            )
            scale = tf.stack([scale[1], scale[0], scale[1], scale[0]])
            return {**outputs, names.BOXES: outputs[names.BOXES] * scale}

        return tf.function(serve, input_signature=[spec]).get_concrete_function()

    def batch_function(self):
        """A tf.function of images of the network's size: uint8 [batch, h, w, 3]."""
        spec = tf.TensorSpec([None, *self._size_hw, 3], tf.uint8, name=names.IMAGES)

        def serve(images):
            return self._outputs(tf.cast(images, tf.float32))

        return tf.function(serve, input_signature=[spec])

    def edge_function(self, variant: str = "full", input_dtype=tf.uint8):
        """A tf.function of one image of the network's size, [1, h, w, 3].

        Args:
          variant: "full" answers as the SavedModel; "no_boxes" leaves
            BOXES and DEGENERATE out; "given_class" takes CLASS_IDS int32 [1] beside
            the image and gives BOXES, DEGENERATE and LOCALIZATION_MAP of that class,
            by the trunk and one kernel, without the classifier.
          input_dtype: of the image: uint8; int8, which is uint8 less 128; or float32
            in 0..255.
        """
        image = tf.TensorSpec([1, *self._size_hw, 3], input_dtype, name=names.IMAGES)

        def as_pixels(images):
            if images.dtype == tf.int8:  # in integers: int8 files must not round it
                images = tf.cast(images, tf.int32) + 128
            return tf.cast(images, tf.float32)

        def full(images):
            return self._outputs(as_pixels(images))

        def no_boxes(images):
            outputs = self.localizer(as_pixels(images), training=False)
            return {
                **self._top_classes(tf.nn.softmax(outputs[names.LOGITS])),
                names.LOCALIZATION_MAP: outputs[names.LOCALIZATION_MAP],
            }

        def given_class(images, class_ids):
            maps = self.localizer.localize_class(as_pixels(images), class_ids)
            boxes = inference.map_to_boxes(
                maps, self._size_hw, score_threshold=self._score_threshold
            )
            return {**boxes, names.LOCALIZATION_MAP: maps}

        specs = [image]
        if variant == "given_class":
            specs.append(tf.TensorSpec([1], tf.int32, name=names.CLASS_IDS))
        function = {"full": full, "no_boxes": no_boxes, "given_class": given_class}
        return tf.function(function[variant], input_signature=specs)

    def _top_classes(self, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        scores, class_ids = tf.math.top_k(
            probabilities, k=min(TOP, self.localizer.num_classes)
        )
        return {names.CLASS_IDS: class_ids, names.SCORES: scores}

    def _outputs(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """CLASS_IDS and SCORES [batch, TOP], BOXES, DEGENERATE, LOCALIZATION_MAP."""
        outputs = inference.predict(
            self.localizer, images, score_threshold=self._score_threshold
        )
        return {
            **self._top_classes(outputs[names.SCORES]),
            names.BOXES: outputs[names.BOXES],
            names.DEGENERATE: outputs[names.DEGENERATE],
            names.LOCALIZATION_MAP: outputs[names.LOCALIZATION_MAP],
        }


def without_variables(concrete_function) -> tf.Module:
    """A module whose `serve` computes the same with every weight a constant.

    TensorFlow Lite's calibration runs a file whose weights are still variables, and
    fails to read them; constants are also what it folds BatchNorm into.
    """
    constant = convert_to_constants.convert_variables_to_constants_v2(
        concrete_function, lower_control_flow=False
    )
    keys = sorted(concrete_function.structured_outputs)
    specs, _ = concrete_function.structured_input_signature

    def serve(*inputs):
        return dict(zip(keys, constant(*inputs), strict=True))

    module = tf.Module()
    module.serve = tf.function(serve, input_signature=specs)
    return module

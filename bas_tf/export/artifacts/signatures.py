"""What every exported file computes, and the names it answers to."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from bas_tf import inference, names
from bas_tf.export.artifacts import narrow_windows
from bas_tf.models.foreground_generator import (
    SOFTMAX,
    ForegroundGenerator,
    shares_of,
)
from bas_tf.models.localizer import Localizer
from bas_tf.ops import masking
from bas_tf.refinement import pamr
from bas_tf.refinement.refined_boxes import NONE

# Between the parts of a file, [1, h, w, 3] of the network's size.
PIXELS = "pixels"  # uint8
SCALED = "scaled"  # float32, as the weights were trained on
PHOTO = "photo"  # float32 in 0..255, by which a map is refined
TOP = 5  # classes reported; fewer when there are fewer


@dataclasses.dataclass(frozen=True, eq=False)
class ServedLocalizer:
    """A localizer as a file on a device: uint8 images in, classes and boxes out.

    Attributes:
      input_size_wh: the size that the network sees.
      score_threshold: where the normalised map is cut, in [0, 1).
      refine: what boxes of edge files are refined by: none or pamr.
    """

    localizer: Localizer
    input_size_wh: tuple[int, int]
    score_threshold: float
    refine: str = NONE

    @property
    def _size_hw(self) -> tuple[int, int]:
        return self.input_size_wh[::-1]

    def batch_function(self):
        """A tf.function of images of the network's size: uint8 [batch, h, w, 3]."""
        spec = tf.TensorSpec([None, *self._size_hw, 3], tf.uint8, name=names.IMAGES)

        def serve(images):
            return localized(
                self.localizer,
                tf.cast(images, tf.float32),
                score_threshold=self.score_threshold,
            )

        return graph_function(serve, [spec])

    def edge_pixels(self, input_dtype: tf.DType = tf.uint8):
        """A tf.function: IMAGES [1, h, w, 3] of the network's size -> SCALED float32.

        Boxes that are refined need PHOTO as well.

        Args:
          input_dtype: uint8; int8, which is the pixel less 128; or float32 in 0..255,
            which is rounded to whole pixels.
        """
        spec = tf.TensorSpec([1, *self._size_hw, 3], input_dtype, name=names.IMAGES)

        def serve(images):
            if images.dtype == tf.int8:
                images = tf.cast(images, tf.int32) + 128
            elif images.dtype == tf.float32:
                images = tf.clip_by_value(tf.round(images), 0.0, 255.0)
            photo = {} if self.refine == NONE else {PHOTO: tf.cast(images, tf.float32)}
            return {SCALED: self.scaled(images), **photo}

        return graph_function(serve, [spec])

    def scaled(self, images) -> tf.Tensor:
        """Pixels in 0..255 -> float32, as the first layer takes them."""
        return self.localizer.backbone.trunk.layers[0](images)

    def edge_layers(self, variant: str = "full"):
        """A tf.function, the layers of an edge file: SCALED float32 [1, h, w, 3] of the
        network's size -> FEATURES and CLASS_MAPS; of "given_class" FEATURES alone.
        """
        spec = tf.TensorSpec([1, *self._size_hw, 3], tf.float32, name=SCALED)
        backbone = self.localizer.backbone
        trunk = keras.Sequential(backbone.trunk.layers[1:])  # behind the scaling

        def features_of(scaled):
            with narrow_windows.narrow_windows(trunk):
                return {names.FEATURES: trunk(scaled, training=False)}

        def all_layers(scaled):
            outputs = features_of(scaled)
            with narrow_windows.narrow_windows(backbone.head):
                class_maps = backbone.head(outputs[names.FEATURES], training=False)
            return {**outputs, names.CLASS_MAPS: class_maps}

        layers = features_of if variant == "given_class" else all_layers
        return graph_function(layers, [spec])

    def edge_answer(self, layers, variant: str = "full", *, int8_kernels: bool = False):
        """A tf.function, what an edge file makes of its layers' answers.

        Args:
          layers: of `edge_layers`, of the same variant.
          variant: "full" answers as the SavedModel; "no_boxes" leaves BOXES and
            DEGENERATE out; "given_class" takes CLASS_IDS int32 [1] next to FEATURES
            and gives BOXES, DEGENERATE and LOCALIZATION_MAP of that class. The two
            with BOXES take PHOTO too where boxes are refined.
          int8_kernels: keeps the generator's kernels in int8, each class with its own
            scale. What is computed is float32.
        """
        answers = [
            tf.TensorSpec(output.shape, tf.float32, name=name)
            for name, output in sorted(
                layers.get_concrete_function().structured_outputs.items()
            )
        ]
        class_ids = tf.TensorSpec([1], tf.int32, name=names.CLASS_IDS)
        photo = tf.TensorSpec([1, *self._size_hw, 3], tf.float32, name=PHOTO)
        to_refine = [] if self.refine == NONE else [photo]
        logits_of = _logits_function(self.localizer.generator, int8_kernels)
        has_softmax = self.localizer.generator.map_outputs == SOFTMAX

        def maps_of(features, class_ids):
            if has_softmax:
                return shares_of(logits_of(features), class_ids)
            return tf.sigmoid(logits_of(features, class_ids))

        def no_boxes(class_maps, features):
            logits = masking.global_average_pool(class_maps)
            _, best = tf.math.top_k(logits, k=self.localizer.top_k)
            maps = masking.top_k_mean(maps_of(features, best))
            found = {
                **top_classes(tf.nn.softmax(logits)),
                names.LOCALIZATION_MAP: maps,
            }
            if has_softmax:
                labels = inference.segmentation(logits_of(features), self._size_hw)
                found[names.SEGMENTATION] = labels
            return found

        def full(class_maps, features, *photo):
            outputs = no_boxes(class_maps, features)
            return {**outputs, **self._boxes(outputs[names.LOCALIZATION_MAP], *photo)}

        def given_class(features, class_ids, *photo):
            maps = maps_of(features, class_ids[:, tf.newaxis])
            return {**self._boxes(maps, *photo), names.LOCALIZATION_MAP: maps}

        functions = {
            "full": (full, [*answers, *to_refine]),
            "no_boxes": (no_boxes, answers),
            "given_class": (given_class, [*answers, class_ids, *to_refine]),
        }
        return graph_function(*functions[variant])

    def _boxes(self, maps: tf.Tensor, *photo: tf.Tensor) -> dict[str, tf.Tensor]:
        if photo:
            return pamr.refined_boxes(
                maps, *photo, score_threshold=self.score_threshold
            )
        return inference.map_to_boxes(
            maps, self._size_hw, score_threshold=self.score_threshold
        )


def graph_function(function, input_signature: list[tf.TensorSpec]):
    """A tf.function of these inputs, traced as it is.

    Nothing here branches on tensors in Python: AutoGraph's rewriting of the sources
    would be a third of an export's time.
    """
    return tf.function(function, input_signature=input_signature, autograph=False)


def localized(
    localizer: Localizer, images: tf.Tensor, *, score_threshold: float
) -> dict[str, tf.Tensor]:
    """names.CLASS_IDS and SCORES [batch, TOP], BOXES, DEGENERATE, LOCALIZATION_MAP.

    Of a softmax of maps SEGMENTATION, too.
    """
    outputs = inference.predict(localizer, images, score_threshold=score_threshold)
    del outputs[names.CAM]
    return {**outputs, **top_classes(outputs[names.SCORES])}


def top_classes(probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
    """names.CLASS_IDS and SCORES [batch, TOP] of softmax [batch, classes]."""
    scores, class_ids = tf.math.top_k(probabilities, k=min(TOP, probabilities.shape[1]))
    return {names.CLASS_IDS: class_ids, names.SCORES: scores}


def box_scale(sizes_wh: tf.Tensor, size_hw: tuple[int, int]) -> tf.Tensor:
    """Factors float32 [batch, 4] from boxes in `size_hw` pixels to those of images of
    these sizes, int [batch, 2].
    """
    size_wh = tf.constant(size_hw[::-1], tf.float32)
    return tf.tile(tf.cast(sizes_wh, tf.float32) / size_wh, [1, 2])


def _logits_function(generator: ForegroundGenerator, int8_kernels: bool):
    """features [1, ...], class_ids [1, k] -> logits, by kernels that are constants.

    Without class_ids, of every kernel.
    """
    kernels = generator.kernels_by_class().numpy()
    biases = tf.convert_to_tensor(generator.bias).numpy()
    if int8_kernels:
        largest = np.abs(kernels).max(axis=(1, 2, 3), keepdims=True)
        scales = np.where(largest > 0, largest, 1).astype(np.float32) / 127
        kernels = np.rint(kernels / scales).astype(np.int8)

    def logits_of(features, class_ids=None):
        if class_ids is None:
            class_ids = np.arange(len(kernels))[np.newaxis]
        chosen = tf.gather(kernels, class_ids)
        if int8_kernels:
            chosen = tf.cast(chosen, tf.float32) * tf.gather(scales, class_ids)
        return generator.logits_by(features, chosen, tf.gather(biases, class_ids))

    return logits_of


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
    module.serve = graph_function(serve, specs)
    return module

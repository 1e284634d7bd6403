"""Keras Applications' ImageNet weights: VGG16, ResNet50, MobileNet, InceptionV3.

Keras downloads and reads them. Arrays are named "<Keras layer>/<variable>"; where the
two networks compute the same differently, the arrays make up for it: see `read`.
"""

import contextlib
import io
import os
import re
import socket
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from bas_tf.errors import UserError
from bas_tf.models.localizer import Localizer
from bas_tf.models.weights.assign import Weights
from bas_tf.models.weights.keras_names import keras_names

APPLICATIONS = {
    "vgg16": keras.applications.VGG16,
    "resnet50": keras.applications.ResNet50,
    "mobilenet_v1": keras.applications.MobileNet,
    "inception_v3": keras.applications.InceptionV3,
}
FILES = {  # of the weights without the ImageNet classifier
    "vgg16": "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "resnet50": "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "mobilenet_v1": "mobilenet_{}_224_tf_no_top.h5",
    "inception_v3": "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
}
WIDTHS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}  # MobileNet's, in its file
MOBILENET_INPUT = (224, 224, 3)  # what these weights were trained at
BGR_INPUT = {  # first convolution of the networks that see blue first
    "vgg16": "block1_conv1/kernel",
    "resnet50": "conv1_conv/kernel",
}
NUMBERED = r"(conv2d|batch_normalization)(?:_(\d+))?"  # names of InceptionV3's layers
LONGEST_REASON = 250  # characters of an error's cause
TIMEOUT_SECONDS = 30  # of one answer, not of the download


def read(localizer: Localizer, path=None) -> Weights:
    """The weights, adapted to the localizer's network.

    Biases before a BatchNorm are moved into its moving mean, a difference of its
    epsilon into the moving variance; a BatchNorm without gamma gets ones; kernels
    that expect blue, green, red are turned to red, green, blue.

    Args:
      localizer: of a backbone of `APPLICATIONS`, of the variant "keras" where it has
        one.
      path: an `.h5` or `.weights.h5` file of the application without its classifier;
        None downloads it, or takes it from Keras's cache.

    Raises:
      UserError: another backbone, variant or width; a file that cannot be read; no
        download.
    """
    backbone = localizer.backbone_name
    _check(localizer)
    model = _downloaded(localizer) if path is None else _read_file(localizer, path)
    layers = _layers(model, numbered=backbone == "inception_v3")
    arrays = _folded(layers, _epsilon(localizer))
    if backbone in BGR_INPUT:
        kernel = arrays[BGR_INPUT[backbone]]  # [height, width, bgr, filters]
        arrays[BGR_INPUT[backbone]] = kernel[:, :, ::-1]
    return Weights(
        origin=str(path or file_name(localizer)),
        arrays=arrays,
        name_of=keras_names(localizer).get,
        scaling="caffe" if backbone in BGR_INPUT else "keras",
    )


def file_name(localizer: Localizer) -> str:
    """The file's name on Keras's server and in its cache."""
    name = FILES[localizer.backbone_name]
    if localizer.backbone_name == "mobilenet_v1":
        return name.format(WIDTHS[_mobilenet_width(localizer)])
    return name


def cache_folder() -> Path:
    """Where Keras keeps what it downloads."""
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    return (home if os.access(home, os.W_OK) else Path("/tmp/.keras")) / "models"


def _check(localizer: Localizer) -> None:
    name = localizer.backbone_name
    if name not in APPLICATIONS:
        raise UserError(
            f"--backbone={name}: Keras Applications has weights for "
            f"{', '.join(APPLICATIONS)}"
        )
    if name != "vgg16" and localizer.backbone.variant != "keras":
        raise UserError(
            f"model.variant is {localizer.backbone.variant!r}, but the weights of "
            f"Keras Applications for {name} expect 'keras'"
        )
    if name == "mobilenet_v1" and _mobilenet_width(localizer) not in WIDTHS:
        raise UserError(
            f"model.width is {_mobilenet_width(localizer):.3g}; Keras Applications "
            f"has weights for {', '.join(map(str, WIDTHS))}"
        )


def _mobilenet_width(localizer: Localizer) -> float:
    """The width multiplier, of the layer where rounding matters least."""
    return localizer.backbone.head.get_layer("block13").pointwise.conv.filters / 1024


def _epsilon(localizer: Localizer) -> float:
    """Of the localizer's BatchNorms; 0 without any."""
    norm = getattr(localizer.backbone.trunk.layers[1], "norm", None)
    return norm.epsilon if norm else 0.0


def _build(localizer: Localizer, weights: str | None) -> keras.Model:
    name, options = localizer.backbone_name, {}
    if name == "mobilenet_v1":
        width = _mobilenet_width(localizer)
        options = {"alpha": width, "input_shape": MOBILENET_INPUT}
    return APPLICATIONS[name](weights=weights, include_top=False, **options)


def _read_file(localizer: Localizer, path) -> keras.Model:
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    model = _build(localizer, None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Keras then raises an error for
            model.load_weights(path)
    except Exception as error:  # h5py and Keras raise half a dozen kinds
        raise UserError(
            f"{path}: not readable as {file_name(localizer)} of Keras Applications "
            f"({_reason(error)})"
        ) from error
    return model


def _downloaded(localizer: Localizer) -> keras.Model:
    file = cache_folder() / file_name(localizer)
    try:
        with _quiet_and_bounded():
            return _build(localizer, "imagenet")
    except Exception as error:  # Keras raises the class Exception itself
        if file.is_file():  # Keras removes what it could not download
            raise UserError(
                f"{file}: not readable ({_reason(error)}); remove it, and it "
                "will be downloaded again"
            ) from error
        raise UserError(
            f"{file.name}: the download failed ({_reason(error)}); put the file "
            f"into {file.parent}, or give it to python -m bas_tf.import_weights "
            f"--source=keras_applications --checkpoint={file.name}"
        ) from error


@contextlib.contextmanager
def _quiet_and_bounded() -> Iterator[None]:
    """Without Keras's progress bar; a server that falls silent ends in an error."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _reason(error: Exception) -> str:
    """An error in one line: Keras's can run over pages."""
    return textwrap.shorten(str(error), LONGEST_REASON) or type(error).__name__


def _layers(model: keras.Model, *, numbered: bool) -> dict[str, keras.layers.Layer]:
    """The layers with weights by name.

    If numbered, they have Keras's automatic names, which count on through a process:
    here they count from 0, as conv2d_0.
    """
    layers = [layer for layer in model.layers if layer.weights]
    if not numbered:
        return {layer.name: layer for layer in layers}
    kinds = {}
    for layer in layers:
        kind, number = re.fullmatch(NUMBERED, layer.name).groups("0")
        kinds.setdefault(kind, []).append((int(number), layer))
    return {
        f"{kind}_{i}": layer
        for kind, found in kinds.items()
        for i, (_, layer) in enumerate(sorted(found, key=lambda pair: pair[0]))
    }


def _folded(layers: dict, epsilon: float) -> dict[str, np.ndarray]:
    """Arrays for convolutions without bias and BatchNorms of this epsilon.

    BatchNorm of x + bias with (mean, variance, epsilon') equals that of x with
    (mean - bias, variance + epsilon' - epsilon, epsilon).
    """
    arrays = {
        f"{name}/{variable.name}": np.asarray(variable)
        for name, layer in layers.items()
        for variable in layer.weights
    }
    for name, layer in layers.items():
        if not isinstance(layer, keras.layers.BatchNormalization):
            continue
        bias = arrays.pop(f"{name.removesuffix('bn')}conv/bias", 0)
        arrays[f"{name}/moving_mean"] = arrays[f"{name}/moving_mean"] - bias
        variance = arrays[f"{name}/moving_variance"]
        arrays[f"{name}/moving_variance"] = variance + (layer.epsilon - epsilon)
        arrays.setdefault(f"{name}/gamma", np.ones_like(variance))
    return arrays

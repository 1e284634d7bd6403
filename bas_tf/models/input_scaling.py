"""What the weights were trained on: mean and std of red, green, blue in 0..255."""

from bas_tf.errors import check_choice

INPUT_SCALINGS = {
    "torch": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),  # ImageNet's
    "keras": ((127.5,) * 3, (127.5,) * 3),  # and caffe: of Keras Applications
    "caffe": ((123.68, 116.779, 103.939), (1.0,) * 3),
    "lite": ((127.0,) * 3, (128.0,) * 3),  # EfficientNet-Lite
    "none": ((0.0,) * 3, (1.0,) * 3),  # the images come scaled
}


def input_scaling(name: str) -> dict[str, tuple[float, ...]]:
    """{"mean", "std"} of a named scaling.

    Raises:
      UserError: an unknown name.
    """
    check_choice("model.input_scaling", name, INPUT_SCALINGS)
    mean, std = INPUT_SCALINGS[name]
    return {"mean": mean, "std": std}

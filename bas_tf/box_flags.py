"""Flags of the commands that draw boxes."""

from absl import flags

from bas_tf import entry_point

flags.disclaim_key_flags()  # what is defined below is the command's own


def define_model_flag() -> None:
    """Defines --model, any that `experiment.load_runner` can load."""
    entry_point.define_path(
        "model",
        None,
        "A workdir, a SavedModel, a .tflite or .onnx file.",
        required=True,
    )


def define_refine_flag(default: str = "none") -> None:
    """Defines --refine, for commands that draw boxes; `default` in words."""
    flags.DEFINE_enum(
        "refine",
        None,
        ["none", "pamr", "grabcut"],
        "Boxes of masks whose edges follow the photo's colours: grabcut is tighter, "
        f"pamr runs in TensorFlow. Default: {default}.",
    )


def define_views_flag(default: str = "one view") -> None:
    """Defines --views, for commands that draw boxes; `default` in words."""
    flags.DEFINE_string(
        "views",
        None,
        "What a workdir's maps are averaged over, for tighter boxes: widths of the "
        f"network's input and mirror images, as 160,224,flip. Default: {default}.",
    )


def define_boxes_flag() -> None:
    """Defines --boxes, for commands that draw boxes."""
    flags.DEFINE_enum(
        "boxes",
        "one",
        ["one", "all"],
        "one: the largest component of the map; all: every object of the class, each "
        "with a score.",
    )


def define_min_confidence_flag(default: str) -> None:
    """Defines --min_confidence, for commands that draw boxes; `default` in words."""
    flags.DEFINE_float(
        "min_confidence",
        None,
        "The confidence in [0, 1], about the IoU with the object, that the box of an "
        f"object has at least. Default: {default}.",
        lower_bound=0,
        upper_bound=1,
    )

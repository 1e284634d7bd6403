"""A config's eval group: its checks, and what an older workdir does not say."""

from bas_tf.errors import UserError, check_at_least, check_choice
from bas_tf.evaluators.figures import THRESHOLD_ORIGINS
from bas_tf.evaluators.predictions import LABEL, MAP_CLASSES
from bas_tf.geometry.objects import BOXES, ONE
from bas_tf.ops.precision import PRECISIONS
from bas_tf.refinement.refined_boxes import NONE, REFINEMENTS
from bas_tf.refinement.views import parse_views

FOREGROUND, CAM = MAPS = ("foreground", "cam")


def check_options(config) -> None:
    """Raises UserError for a mistake in a config's eval group."""
    options = config.eval
    if text := views(config):
        parse_views(text, tuple(config.data.crop_size))
    origin = options.threshold_origin
    check_choice("eval.threshold_origin", origin, THRESHOLD_ORIGINS)
    if not 0 <= options.score_threshold < 1:
        raise UserError(
            f"eval.score_threshold is {options.score_threshold}; a map has values in "
            "[0, 1], of which it cuts in [0, 1)"
        )
    check_at_least("eval.batch_size", options.batch_size, 1)
    check_choice("eval.boxes", options.get("boxes", ONE), BOXES)
    check_choice("eval.refine", options.get("refine", NONE), REFINEMENTS)
    check_choice("eval.map", options.get("map", FOREGROUND), MAPS)
    check_choice("eval.map_class", options.get("map_class", LABEL), MAP_CLASSES)
    precision = options.get("ten_crop_precision", "float32")
    check_choice("eval.ten_crop_precision", precision, PRECISIONS)


def views(config) -> str:
    """What maps are averaged over; an older workdir does not say."""
    return config.eval.get("views", "")


def is_of_cam(options) -> bool:
    """Whether the CAM is evaluated; an older workdir does not say."""
    return options.get("map", FOREGROUND) == CAM


def map_class(config) -> str:
    """Whose maps are evaluated; an older workdir does not say."""
    return config.eval.get("map_class", LABEL)


def scores_precision(config) -> str:
    """What the pass that only classifies computes in; older workdirs do not say."""
    if not config.eval.ten_crop:
        return "float32"
    return config.eval.get("ten_crop_precision", "float32")

"""A config's eval group: its checks, and what follows from it."""

from bas_tf.errors import UserError, check_at_least, check_choice
from bas_tf.evaluators.figures import THRESHOLD_ORIGINS
from bas_tf.evaluators.predictions import MAP_CLASSES
from bas_tf.geometry.objects import BOXES
from bas_tf.ops.precision import PRECISIONS
from bas_tf.refinement.refined_boxes import REFINEMENTS
from bas_tf.refinement.views import parse_views

CAM = "cam"


def check_options(config) -> None:
    """Raises UserError for a mistake in a config's eval group."""
    options = config.eval
    if text := options.views:
        parse_views(text, tuple(config.data.crop_size))
    origin = options.threshold_origin
    check_choice("eval.threshold_origin", origin, THRESHOLD_ORIGINS)
    if not 0 <= options.score_threshold < 1:
        raise UserError(
            f"eval.score_threshold is {options.score_threshold}; a map has values in "
            "[0, 1], of which it cuts in [0, 1)"
        )
    check_at_least("eval.batch_size", options.batch_size, 1)
    check_choice("eval.boxes", options.boxes, BOXES)
    check_choice("eval.refine", options.refine, REFINEMENTS)
    check_choice("eval.map", options.map, ("foreground", CAM))
    check_choice("eval.map_class", options.map_class, MAP_CLASSES)
    precision = options.ten_crop_precision
    check_choice("eval.ten_crop_precision", precision, PRECISIONS)


def scores_precision(config) -> str:
    """What the pass that only classifies computes in."""
    if not config.eval.ten_crop:
        return "float32"
    return config.eval.ten_crop_precision

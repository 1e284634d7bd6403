"""The choice of a refinement, on one photo and as part of a model."""

import numpy as np

from bas_tf.errors import UserError, check_choice
from bas_tf.refinement import grabcut, masks
from bas_tf.runners.runner import Runner, box_outputs, with_outputs

NONE, PAMR, GRABCUT = "none", "pamr", "grabcut"
REFINEMENTS = (NONE, PAMR, GRABCUT)
_PAMR_SIDE = 160  # of the copy that PAMR works on


def refined_mask(
    photo: np.ndarray, score_map: np.ndarray, *, refine: str, score_threshold: float
) -> np.ndarray:
    """The object's mask: bool [height, width].

    Args:
      photo: uint8 [height, width, 3].
      score_map: float [h, w] of the whole photo, not yet normalised.
      refine: one of REFINEMENTS; NONE cuts the map.
      score_threshold: in (0, 1).
    """
    size_wh = photo.shape[1::-1]
    if refine == GRABCUT:
        mask, _ = grabcut.grabcut_mask(
            photo, score_map, score_threshold=score_threshold
        )
        return mask
    if refine == PAMR:
        score_map, score_threshold = _pamr(photo, score_map, score_threshold), 0.5
    return masks.map_at(score_map, size_wh, score_threshold=score_threshold) > 0.5


def refined_runner(runner: Runner, refine: str) -> Runner:
    """A model whose boxes are those of refined masks in the images it is given.

    Raises:
      UserError: an unknown refinement, or a model that does not say its threshold.
    """
    check_choice("refine", refine, REFINEMENTS)
    if refine == NONE:
        return runner
    threshold = threshold_of(runner)

    def boxes_of(images, maps) -> dict[str, np.ndarray]:
        return box_outputs(
            masks.box_of_mask(
                refined_mask(image, m, refine=refine, score_threshold=threshold)
            )
            for image, m in zip(_as_pixels(images), maps, strict=True)
        )

    return with_outputs(runner, boxes_of)


def threshold_of(runner: Runner) -> float:
    """Where a model's maps are cut.

    Raises:
      UserError: its file does not say, or says 0, around which nothing can be scaled.
    """
    if not runner.score_threshold:
        raise UserError(
            f"refine: the model's score_threshold is {runner.score_threshold}; one "
            "above 0 is needed: export it again"
        )
    return runner.score_threshold


def _as_pixels(images) -> np.ndarray:
    return np.clip(np.rint(np.asarray(images)), 0, 255).astype(np.uint8)


def _pamr(photo, score_map, score_threshold: float) -> np.ndarray:
    """float32 [h, w], cut at 0.5."""
    from bas_tf.data import preprocess
    from bas_tf.refinement.pamr import refine_maps

    size_wh = (_PAMR_SIDE, _PAMR_SIDE)
    scores = masks.map_at(score_map, size_wh, score_threshold=score_threshold)
    small = preprocess.resize(photo, size_wh)
    refined = refine_maps(scores[np.newaxis, ..., np.newaxis], small[np.newaxis])
    return refined.numpy()[0, ..., 0]

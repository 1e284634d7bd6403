"""The choice of a refinement, on one photo and as part of a model."""

import numpy as np

from bas_tf.data import preprocess
from bas_tf.errors import UserError, check_choice
from bas_tf.geometry import components
from bas_tf.refinement import grabcut, masks
from bas_tf.runners.runner import Runner, box_outputs, with_outputs

NONE, PAMR, GRABCUT = "none", "pamr", "grabcut"
REFINEMENTS = (NONE, PAMR, GRABCUT)
_PHOTO_SIDE = 160  # of the copy that a whole photo's map is refined by


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
        scores = _pamr_scores(photo, score_map, score_threshold)
        return components.resize_map(scores, size_wh) > 0.5
    return masks.map_at(score_map, size_wh, score_threshold=score_threshold) > 0.5


def refined_runner(runner: Runner, refine: str) -> Runner:
    """A model whose boxes are those of refined masks in the images it is given.

    A file that already refines so is taken as it is.

    Raises:
      UserError: an unknown refinement, or a model that does not say its threshold.
    """
    check_choice("refine", refine, REFINEMENTS)
    if refine in (NONE, runner.refine):
        return runner
    threshold = threshold_of(runner)

    def boxes_of(images, maps) -> dict[str, np.ndarray]:
        if refine == PAMR:
            return _pamr_boxes(_as_pixels(images), maps, threshold)
        return box_outputs(
            masks.box_of_mask(
                refined_mask(image, m, refine=refine, score_threshold=threshold)
            )
            for image, m in zip(_as_pixels(images), maps, strict=True)
        )

    return with_outputs(runner, boxes_of, refine=refine)


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


def _pamr_scores(photo, score_map, score_threshold: float) -> np.ndarray:
    """float32 [_PHOTO_SIDE, _PHOTO_SIDE], cut at 0.5."""
    from bas_tf.refinement import pamr

    small = preprocess.resize(photo, (_PHOTO_SIDE, _PHOTO_SIDE))
    score_map = score_map[np.newaxis, ..., np.newaxis]
    scores = pamr.refined_scores(
        score_map, small[np.newaxis], score_threshold=score_threshold
    )
    return scores.numpy()[0, ..., 0]


def _pamr_boxes(images, maps, score_threshold: float) -> dict[str, np.ndarray]:
    """What an exported file gives, image by image: each is in memory forty times."""
    from bas_tf.refinement import pamr

    found = [
        pamr.refined_boxes(
            score_map[np.newaxis, ..., np.newaxis],
            image[np.newaxis],
            score_threshold=score_threshold,
        )
        for image, score_map in zip(images, maps, strict=True)
    ]
    return {key: np.concatenate([each[key] for each in found]) for key in found[0]}

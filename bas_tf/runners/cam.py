"""The class activation map in place of the foreground map: the baseline as a model."""

import dataclasses

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.geometry import components
from bas_tf.runners.runner import Runner


def cam_runner(runner: Runner, score_threshold: float) -> Runner:
    """A model whose maps, and boxes, are the CAMs of another one; workdirs only.

    Args:
      runner: gives names.CAM and, by its label_fn, LABEL_CAM.
      score_threshold: where the normalized CAM is cut, in [0, 1).

    Raises:
      UserError: an exported file, which has no CAM.
    """
    if runner.scores_fn is None:
        raise UserError("eval.map is 'cam', which only a training workdir has")

    def as_maps(images, cams) -> dict[str, np.ndarray]:
        size_wh = np.shape(images)[2:0:-1]
        found = [
            components.box_from_map(
                cam, crop_size_wh=size_wh, score_threshold=score_threshold
            )
            for cam in cams
        ]
        boxes, degenerate = zip(*found, strict=True)
        return {
            names.LOCALIZATION_MAP: cams,
            names.BOXES: np.stack(boxes),
            names.DEGENERATE: np.array(degenerate),
        }

    def predict_fn(images):
        outputs = runner.predict_fn(images)
        return {**outputs, **as_maps(images, outputs[names.CAM])}

    def label_fn(images, labels):
        outputs = runner.label_fn(images, labels)
        of_label = names.of_label(as_maps(images, outputs[names.LABEL_CAM]))
        return {**outputs, **as_maps(images, outputs[names.CAM]), **of_label}

    return dataclasses.replace(
        runner,
        predict_fn=predict_fn,
        label_fn=label_fn,
        score_threshold=score_threshold,
    )

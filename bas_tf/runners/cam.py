"""The class activation map in place of the foreground map: the baseline as a model."""

import numpy as np

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.runners.runner import Runner, boxes_of_maps, with_outputs


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

    def outputs_of(images, cams) -> dict[str, np.ndarray]:
        boxes = boxes_of_maps(cams, np.shape(images)[2:0:-1], score_threshold)
        return {names.LOCALIZATION_MAP: cams, **boxes}

    return with_outputs(
        runner, outputs_of, source=names.CAM, score_threshold=score_threshold
    )

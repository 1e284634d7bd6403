"""Drawings of two classes each, as `demo`: the journal version's multi-label training.

  python -m bas_tf.train --config=configs/drawings_multilabel.py --workdir=runs/several

Every picture has two creatures of different classes and both labels; the network learns
a map for each. Evaluation takes the map, boxes and mask of one of them, the label.
`--config.train.self_training_rounds=1` goes on to a student that labels every pixel.
Cost: as `demo`, 1248 steps of 32 drawings. Expected label maps of test (one seed,
nothing tuned, thresholds of val): mIoU 0.71 at 0.80; CAM of the same network 0.68.

Variant `:quicktest` takes under a minute and only checks that everything runs.
"""

from bas_tf.configs import demo
from bas_tf.errors import UserError


def get_config(variant: str = ""):
    if variant not in ("", "quicktest"):
        raise UserError(
            f"configs/drawings_multilabel.py:{variant}: unknown variant; known: "
            "quicktest"
        )
    config = demo.get_config(variant)
    config.data.objects_per_image = 2
    config.data.classes_per_image = 2
    config.model.final_relu = False
    config.loss.classification = "multilabel"
    config.loss.frg_stops_class_maps = True
    config.loss.background_wins = "one"
    config.loss.alpha = 0.2
    config.loss.beta = 1.2
    config.train.self_training_rounds = 1
    config.train.self_training_threshold = 0.7  # on val 0.68 and 0.76 are alike
    config.eval.score_threshold = 0.5  # of the student's shares
    return config

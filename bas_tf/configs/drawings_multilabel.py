"""Drawings of two classes each, as `demo`: the journal version's multi-label training.

  python -m bas_tf.train --config=configs/drawings_multilabel.py --workdir=runs/several

Every picture has two creatures of different classes and both labels. A teacher learns a
map for each; of its label maps a student, the model, learns to label every pixel in one
pass. Evaluation measures that (`miou`, `class_boxes_*`); its other figures take one of
the two, the label. Cost: the teacher 1248 steps of 32 drawings, as `demo`, label maps
of 3072, the student 1920 steps: twelve minutes on two cores. Expected on test (three
seeds): mIoU 0.86 to 0.88, precision and recall of the classes' boxes 0.98 and 1.00;
refined by CRF, mIoU 0.91 to 0.94.

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
    config.train.self_training_epochs = 20
    config.train.self_training_rate = 8e-3
    config.train.self_training_threshold = 0.7  # on val 0.68 and 0.76 are alike
    config.eval.score_threshold = 0.5  # of the student's shares
    return config

"""Ten butterfly species, trained on photos and species names only (folder source).

  python -m bas_tf.train --config=configs/butterflies_efficientnet_lite0.py \
      --config.data.root=DIR --workdir=runs/butterflies

DIR holds train/<species>/*.jpg and val/<species>/*.jpg; boxes are only for evaluation.
The first training makes masks of its photos, the next goes on towards them, twice.
Cost: 196, 84 and 168 steps of 16 photos, eight minutes on two cores, 2.5 GB.
Expected on val (seeds 0, 1, 2): GT-known Loc 0.994, at IoU 0.7 0.930, mean IoU 0.852,
Top-1 Loc 0.992. The first training alone, cut at 0.42: 0.974, 0.868, 0.814, 0.970.
"""

from bas_tf.configs.common import base_config, no_variants


def get_config(variant: str = ""):
    no_variants(variant)
    config = base_config()
    config.data.resize_size = (184, 184)
    config.data.crop_size = (160, 160)
    config.data.batch_size = 16
    config.model.backbone = "efficientnet_lite0"
    config.model.weights = "imagenet"
    config.model.classifier = "linear"
    config.model.normalize_generator_input = True
    config.loss.alpha = 0.5
    config.loss.beta = 1.2
    config.optimizer.base_rate = 3e-3
    config.optimizer.schedule = "step"
    config.optimizer.drop_epochs = (3, 5)
    config.optimizer.drop_factor = 1 / 3
    config.optimizer.warmup_steps = 20
    config.train.epochs = 7
    config.train.classifier_epochs = 3
    config.train.classifier_scale = 0.6
    config.train.batch_statistics = False
    config.train.self_training_rounds = 2
    config.train.self_training_rate = 2e-3
    config.eval.score_threshold = 0.5  # of maps trained towards masks
    return config

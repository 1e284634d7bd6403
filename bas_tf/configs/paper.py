"""Shared by the paper's eight configs: schedule, sizes, protocol, the extension.

The paper's figures are means over classes (`top1_loc_class_mean` and so on in
metrics.json); the journal extension's are means over images and also count IoU = 0.5 as
right (`extension/top1_loc` and so on). If top-k is 1, boxes come from the true label's
map, as in the reference (`eval.map_class`).
"""

from bas_tf.configs.common import base_config
from bas_tf.errors import UserError


def cub_config(variant: str):
    """CUB-200-2011: 100 epochs of batches of 32, evaluated on `test`."""
    config = _paper_config(variant)
    config.data.source = "cub"
    config.data.batch_size = 32
    config.optimizer.drop_epochs = (80,)
    config.train.epochs = 100
    config.eval.split = "test"
    return config


def ilsvrc_config(variant: str):
    """ILSVRC 2012: 9 epochs of batches of 128 over all GPUs (the paper: four, with
    BatchNorm over the 32 images on each), evaluated on `val`."""
    config = _paper_config(variant)
    config.data.source = "ilsvrc"
    config.data.batch_size = 128
    config.data.cache = False  # 1.28 million images
    config.optimizer.drop_epochs = (3, 6)
    config.train.epochs = 9
    config.train.strategy = "mirrored"
    config.train.log_every_steps = 100
    config.eval.split = "val"
    return config


def _paper_config(variant: str):
    if variant not in ("", "extension"):
        raise UserError(f"--config: unknown variant {variant!r}; known: extension")
    config = base_config()
    config.data.resize_size = (256, 256)
    config.data.crop_size = (224, 224)
    config.model.classifier = "paper"
    config.model.final_relu = True
    config.loss.background_wins = "zero"
    config.optimizer.kind = "sgd"
    config.optimizer.base_rate = 1e-3
    config.optimizer.momentum = 0.9
    config.optimizer.l2 = 5e-4
    config.optimizer.schedule = "step"
    config.optimizer.drop_factor = 0.1
    config.optimizer.warmup_steps = 0
    config.train.classifier_epochs = 0
    config.train.batch_statistics = True
    config.eval.ten_crop = True
    if variant == "extension":
        config.model.final_relu = False
        config.loss.background_wins = "one"
    return config

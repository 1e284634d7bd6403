"""The paper's eight experiments: data, weights, and the settings that they share.

CUB: DIR is the folder CUB_200_2011 as downloaded, or CUB_200_2011.tgz, which is
unpacked in place; segmentations/ next to it, or segmentations.tgz, provides the masks.
With tensorflow-datasets instead: --config.data.source=tfds:caltech_birds2011, with DIR
its data_dir.

ILSVRC: DIR has train/<synset>/*.JPEG and val/, flat or per synset, and the boxes of val
in one of these forms: ILSVRC2012_bbox_val_v3.tgz (or its XML files, in val/ or in
ILSVRC2012_bbox_val_v3/), val_gt.txt, or localization.txt with class_labels.txt. With
tensorflow-datasets instead, without boxes: --config.data.source=tfds:imagenet2012, with
DIR its data_dir.

All start from Keras's ImageNet weights, with Keras's variant of the network. The
reference starts from torchvision's:

  python -m bas_tf.import_weights --source=torchvision --backbone=resnet50 \
      --num_classes=200 --checkpoint=FILE.pth --output=FILE.weights.h5

and then --config.model.weights=FILE.weights.h5 --config.model.variant=paper. Its
MobileNetV1 starts from a file that we do not have; --source=bas_official, with
--checkpoint=FILE.pth.tar, imports a trained checkpoint of the reference.

Variant `:extension`, the journal version: no final ReLU on the class maps, and the
constant 1 where the background wins, but for VGG16, whose constant stays 0.

The paper's figures are means over classes (`top1_loc_class_mean` and so on in
metrics.json); the journal extension's are means over images and also count IoU = 0.5 as
right (`extension/top1_loc` and so on). If top-k is 1, boxes come from the true label's
map, as in the reference (`eval.map_class`).
"""

from bas_tf.configs.common import base_config
from bas_tf.errors import UserError


def cub_config(backbone: str, variant: str):
    """CUB-200-2011: 100 epochs of batches of 32, evaluated on `test`."""
    config = _paper_config(backbone, variant)
    config.data.source = "cub"
    config.data.batch_size = 32
    config.optimizer.drop_epochs = (80,)
    config.train.epochs = 100
    config.eval.split = "test"
    return config


def ilsvrc_config(backbone: str, variant: str):
    """ILSVRC 2012: 9 epochs of batches of 128 over all GPUs (the paper: four, with
    BatchNorm over the 32 images on each), evaluated on `val`."""
    config = _paper_config(backbone, variant)
    config.data.source = "ilsvrc"
    config.data.batch_size = 128
    config.data.cache = False  # 1.28 million images
    config.optimizer.drop_epochs = (3, 6)
    config.model.top_k = 1
    config.train.epochs = 9
    config.train.strategy = "mirrored"
    config.train.log_every_steps = 100
    config.eval.split = "val"
    return config


def _paper_config(backbone: str, variant: str):
    if variant not in ("", "extension"):
        raise UserError(f"--config: unknown variant {variant!r}; known: extension")
    config = base_config()
    config.data.resize_size = (256, 256)
    config.data.crop_size = (224, 224)
    config.model.backbone = backbone
    config.model.variant = "paper" if backbone == "vgg16" else "keras"
    config.model.weights = "imagenet"  # of Keras, which expect its variant
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
        config.loss.background_wins = "zero" if backbone == "vgg16" else "one"
    return config

r"""ResNet50 on Pascal VOC 2012: the journal version's multi-label segmentation network.

  python -m bas_tf.train --config=configs/voc12_resnet50.py --config.data.root=DIR \
      --workdir=runs/voc12
  python -m bas_tf.refine --workdir=runs/voc12 --config=configs/voc12_resnet50.py \
      --config.data.root=DIR --split=voc_train --output=label_maps

DIR holds VOCdevkit/ and SBD's benchmark_RELEASE/: its 10,582 photos are train_aug.
The second command writes the seeds of VOC's own 1,464 training photos, which are the
ones with masks, and their mIoU; `--maps=both` adds the same network's class activation
maps. `--split=train` writes those of all.

Starts from Keras's ImageNet weights; for torchvision's see `paper`.
The reference's T of the poly schedule, 26,450, is four times its 6,610 steps, so that
the rate ends at 0.77 of its start; `optimizer.poly_total_steps` keeps that.

Cost: 6,610 steps of 16 crops of 448 pixels, meant for a GPU; never run in full here.
Expected (published, mIoU on voc_train): seeds 57.7, with the CAM of another network
58.2, both at the best threshold of 0.20 to 0.44 on these photos, which refine calls the
oracle; masks after IRN's random walk 71.1; of a DeepLabv2 trained on such masks, on val
69.6 and on test 69.9.
"""

from bas_tf.configs.common import base_config, no_variants


def get_config(variant: str = ""):
    no_variants(variant)
    config = base_config()
    config.data.source = "voc2012"
    config.data.resize_size = (512, 512)
    config.data.crop_size = (448, 448)
    config.data.batch_size = 16
    config.data.cache = False  # 8 GB
    config.model.backbone = "resnet50"
    config.model.variant = "keras"  # what these weights expect
    config.model.weights = "imagenet"
    config.model.classifier = "linear"
    config.model.final_relu = False
    config.model.head_biases = False
    config.model.trunk_stride = 16
    config.loss.classification = "multilabel"
    config.loss.frg_stops_class_maps = True
    config.loss.background_wins = "one"
    config.loss.alpha = 0.2
    config.loss.beta = 1.2
    config.optimizer.kind = "sgd"
    config.optimizer.base_rate = 5e-3
    config.optimizer.momentum = 1e-4
    config.optimizer.nesterov = False
    config.optimizer.l2 = 1e-4
    config.optimizer.bias_rate = 0.0
    config.optimizer.schedule = "poly"
    config.optimizer.poly_total_steps = 26_450
    config.train.epochs = 10
    config.train.strategy = "mirrored"
    config.train.synchronized_batch_norm = True
    config.eval.score_threshold = 0.3  # of seeds and boxes; none is published
    return config

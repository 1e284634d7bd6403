"""VGG16 on ILSVRC 2012 (ImageNet, 1,000 classes) with the paper's settings.

  python -m bas_tf.train --config=configs/ilsvrc_vgg16.py \
      --config.data.root=DIR --workdir=runs/ilsvrc_vgg16

DIR has train/<synset>/*.JPEG and val/, flat or per synset, and the boxes of val in one
of these forms: ILSVRC2012_bbox_val_v3.tgz (or its XML files, in val/ or in
ILSVRC2012_bbox_val_v3/), val_gt.txt, or localization.txt with class_labels.txt. With
tensorflow-datasets instead, without boxes: --config.data.source=tfds:imagenet2012, with
DIR its data_dir.

Starts from Keras's ImageNet weights. The reference starts from torchvision's:

  python -m bas_tf.import_weights --source=torchvision --backbone=vgg16 \
      --num_classes=1000 --checkpoint=FILE.pth --output=FILE.weights.h5

and then --config.model.weights=FILE.weights.h5.

Cost: 90,081 steps of 128 images, meant for several GPUs; see docs/reproduce.md.
Expected (published, ten crops, means over classes): Top-1 / Top-5 / GT-known Loc 52.96
/ 65.41 / 69.64. GT-known and Top-5 Loc use the true label's map, as in the reference.

Variant `:extension`: the journal version, without the final ReLU on the class maps. The
constant where the background wins stays 0 for this network. Its threshold is 0.45;
alpha and beta stay the paper's; no others are known to us.
"""

from bas_tf.configs.paper import ilsvrc_config


def get_config(variant: str = ""):
    config = ilsvrc_config(variant)
    config.model.backbone = "vgg16"
    config.model.weights = "imagenet"
    config.model.top_k = 1
    config.loss.alpha = 0.05
    config.loss.beta = 1.0
    config.eval.score_threshold = 0.5
    if variant == "extension":
        config.eval.score_threshold = 0.45
        config.loss.background_wins = "zero"
    return config

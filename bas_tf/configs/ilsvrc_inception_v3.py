"""InceptionV3 on ILSVRC 2012 (ImageNet, 1,000 classes) with the paper's settings.

  python -m bas_tf.train --config=configs/ilsvrc_inception_v3.py \
      --config.data.root=DIR --workdir=runs/ilsvrc_inception_v3

DIR has train/<synset>/*.JPEG and val/, flat or per synset, and the boxes of val in one
of these forms: ILSVRC2012_bbox_val_v3.tgz (or its XML files, in val/ or in
ILSVRC2012_bbox_val_v3/), val_gt.txt, or localization.txt with class_labels.txt. With
tensorflow-datasets instead, without boxes: --config.data.source=tfds:imagenet2012, with
DIR its data_dir.

Starts from Keras's ImageNet weights, with Keras's variant of the network. The reference
starts from torchvision's:

  python -m bas_tf.import_weights --source=torchvision --backbone=inception_v3 \
      --num_classes=1000 --checkpoint=FILE.pth --output=FILE.weights.h5

and then --config.model.weights=FILE.weights.h5 --config.model.variant=paper.

Cost: 90,081 steps of 128 images, meant for several GPUs; see docs/reproduce.md.
Expected (published, ten crops, means over classes): Top-1 / Top-5 / GT-known Loc 58.51
/ 69.00 / 71.93. GT-known and Top-5 Loc use the true label's map,
as in the reference.

Variant `:extension`: the journal version, without the final ReLU on the class maps and
with the constant 1 where the background wins. Its threshold is 0.25; alpha and beta
stay the paper's; no others are known to us.
"""

from bas_tf.configs.paper import ilsvrc_config


def get_config(variant: str = ""):
    config = ilsvrc_config(variant)
    config.model.backbone = "inception_v3"
    config.model.variant = "keras"  # what these weights expect
    config.model.weights = "imagenet"
    config.model.top_k = 1
    config.loss.alpha = 1.0
    config.loss.beta = 2.5
    config.eval.score_threshold = 0.3
    if variant == "extension":
        config.eval.score_threshold = 0.25
    return config

"""InceptionV3 on CUB-200-2011 with the paper's settings.

  python -m bas_tf.train --config=configs/cub_inception_v3.py --config.data.root=DIR \
      --workdir=runs/cub_inception_v3

DIR is the folder CUB_200_2011 as downloaded, or CUB_200_2011.tgz, which is unpacked in
place; segmentations/ next to it, or segmentations.tgz, provides the masks. With
tensorflow-datasets instead: --config.data.source=tfds:caltech_birds2011, with DIR its
data_dir.

Starts from Keras's ImageNet weights, with Keras's variant of the network. The reference
starts from torchvision's:

  python -m bas_tf.import_weights --source=torchvision --backbone=inception_v3 \
      --num_classes=200 --checkpoint=FILE.pth --output=FILE.weights.h5

and then --config.model.weights=FILE.weights.h5 --config.model.variant=paper.

Cost: 18,700 steps of 32 images, meant for a GPU; see docs/reproduce.md.
Expected (published, ten crops, means over classes): Top-1 / Top-5 / GT-known Loc
73.29 / 86.31 / 92.24.

Variant `:extension`: the journal version, without the final ReLU on the class maps,
with the constant 1 where the background wins; its beta is the paper's.
"""

from bas_tf.configs.paper import cub_config


def get_config(variant: str = ""):
    config = cub_config(variant)
    config.model.backbone = "inception_v3"
    config.model.variant = "keras"  # what these weights expect
    config.model.weights = "imagenet"
    config.model.top_k = 200
    config.loss.alpha = 0.5
    config.loss.beta = 1.0
    config.eval.score_threshold = 0.1
    return config

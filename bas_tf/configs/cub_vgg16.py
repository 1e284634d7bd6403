"""VGG16 on CUB-200-2011 with the paper's settings.

  python -m bas_tf.train --config=configs/cub_vgg16.py --config.data.root=DIR \
      --workdir=runs/cub_vgg16

DIR is the folder CUB_200_2011 as downloaded, or CUB_200_2011.tgz, which is unpacked in
place; segmentations/ next to it, or segmentations.tgz, provides the masks. With
tensorflow-datasets instead: --config.data.source=tfds:caltech_birds2011, with DIR its
data_dir.

Starts from Keras's ImageNet weights. The reference starts from torchvision's:

  python -m bas_tf.import_weights --source=torchvision --backbone=vgg16 \
      --num_classes=200 --checkpoint=FILE.pth --output=FILE.weights.h5

and then --config.model.weights=FILE.weights.h5.

Cost: 18,700 steps of 32 images, meant for a GPU; see docs/reproduce.md.
Expected (published, ten crops, means over classes): Top-1 / Top-5 / GT-known Loc
71.33 / 85.33 / 91.07.

Variant `:extension`: the journal version, without the final ReLU on the class maps,
with beta 0.9. The constant where the background wins stays 0 for this network.
"""

from bas_tf.configs.paper import cub_config


def get_config(variant: str = ""):
    config = cub_config(variant)
    config.model.backbone = "vgg16"
    config.model.weights = "imagenet"
    config.model.top_k = 80
    config.loss.alpha = 0.0
    config.loss.beta = 0.7
    config.eval.score_threshold = 0.15
    if variant == "extension":
        config.loss.beta = 0.9
        config.loss.background_wins = "zero"
    return config

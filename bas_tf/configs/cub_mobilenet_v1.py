"""MobileNetV1 on CUB-200-2011 with the paper's settings.

  python -m bas_tf.train --config=configs/cub_mobilenet_v1.py --config.data.root=DIR \
      --workdir=runs/cub_mobilenet_v1

DIR is the folder CUB_200_2011 as downloaded, or CUB_200_2011.tgz, which is unpacked in
place; segmentations/ next to it, or segmentations.tgz, provides the masks. With
tensorflow-datasets instead: --config.data.source=tfds:caltech_birds2011, with DIR its
data_dir.

Starts from Keras's ImageNet weights, with Keras's variant of the network. The reference
starts from its own file, which we do not have. To import a trained checkpoint of the
reference:

  python -m bas_tf.import_weights --source=bas_official --backbone=mobilenet_v1 \
      --num_classes=200 --checkpoint=FILE.pth.tar --output=FILE.weights.h5

and then --config.model.weights=FILE.weights.h5 --config.model.variant=paper.

Cost: 18,700 steps of 32 images, meant for a GPU; see docs/reproduce.md.
Expected (published, ten crops, means over classes): Top-1 / Top-5 / GT-known Loc
69.77 / 86.00 / 92.35.

Variant `:extension`: the journal version, without the final ReLU on the class maps,
with the constant 1 where the background wins and beta 1.9.
"""

from bas_tf.configs.paper import cub_config


def get_config(variant: str = ""):
    config = cub_config(variant)
    config.model.backbone = "mobilenet_v1"
    config.model.variant = "keras"  # what these weights expect
    config.model.weights = "imagenet"
    config.model.top_k = 200
    config.loss.alpha = 0.5
    config.loss.beta = 1.5
    config.eval.score_threshold = 0.15
    if variant == "extension":
        config.loss.beta = 1.9
    return config

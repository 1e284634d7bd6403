"""VGG16 on CUB-200-2011 with the paper's settings; data and weights: see `paper`.

  python -m bas_tf.train --config=configs/paper/cub_vgg16.py \
      --config.data.root=DIR --workdir=runs/cub_vgg16

Cost: 18,700 steps of 32 images, meant for a GPU; see docs/reproduce.md.
Expected (published, ten crops, means over classes): Top-1 / Top-5 / GT-known Loc
71.33 / 85.33 / 91.07.

Variant `:extension`: the journal version, with beta 0.9.
"""

from bas_tf.configs.paper import cub_config


def get_config(variant: str = ""):
    config = cub_config("vgg16", variant)
    config.model.top_k = 80
    config.loss.alpha = 0.0
    config.loss.beta = 0.9 if variant == "extension" else 0.7
    config.eval.score_threshold = 0.15
    return config

"""InceptionV3 on CUB-200-2011 with the paper's settings; data and weights: see `paper`.

  python -m bas_tf.train --config=configs/paper/cub_inception_v3.py \
      --config.data.root=DIR --workdir=runs/cub_inception_v3

Cost: 18,700 steps of 32 images, meant for a GPU; see docs/reproduce.md.
Expected (published, ten crops, means over classes): Top-1 / Top-5 / GT-known Loc
73.29 / 86.31 / 92.24.

Variant `:extension`: the journal version; its beta is the paper's.
"""

from bas_tf.configs.paper import cub_config


def get_config(variant: str = ""):
    config = cub_config("inception_v3", variant)
    config.model.top_k = 200
    config.loss.alpha = 0.5
    config.loss.beta = 1.0
    config.eval.score_threshold = 0.1
    return config

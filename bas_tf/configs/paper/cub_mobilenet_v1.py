"""MobileNetV1 on CUB-200-2011 with the paper's settings; data and weights: see `paper`.

  python -m bas_tf.train --config=configs/paper/cub_mobilenet_v1.py \
      --config.data.root=DIR --workdir=runs/cub_mobilenet_v1

Cost: 18,700 steps of 32 images, meant for a GPU; see docs/reproduce.md.
Expected (published, ten crops, means over classes): Top-1 / Top-5 / GT-known Loc
69.77 / 86.00 / 92.35.

Variant `:extension`: the journal version, with beta 1.9.
"""

from bas_tf.configs.paper import cub_config


def get_config(variant: str = ""):
    config = cub_config("mobilenet_v1", variant)
    config.model.top_k = 200
    config.loss.alpha = 0.5
    config.loss.beta = 1.9 if variant == "extension" else 1.5
    config.eval.score_threshold = 0.15
    return config

"""InceptionV3 on ILSVRC 2012 with the paper's settings; data and weights: see `paper`.

  python -m bas_tf.train --config=configs/paper/ilsvrc_inception_v3.py \
      --config.data.root=DIR --workdir=runs/ilsvrc_inception_v3

Cost: 90,081 steps of 128 images, meant for several GPUs; see docs/reproduce.md.
Expected (published, ten crops, means over classes): Top-1 / Top-5 / GT-known Loc
58.51 / 69.00 / 71.93. GT-known and Top-5 Loc use the true label's map, as in
the reference.

Variant `:extension`: the journal version; its threshold is 0.25, alpha and beta
stay the paper's; no others are known to us.
"""

from bas_tf.configs.paper import ilsvrc_config


def get_config(variant: str = ""):
    config = ilsvrc_config("inception_v3", variant)
    config.loss.alpha = 1.0
    config.loss.beta = 2.5
    config.eval.score_threshold = 0.25 if variant == "extension" else 0.3
    return config

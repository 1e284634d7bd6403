"""Ten butterfly species from photos and names alone (a folder source).

  python -m bas_tf.train --config=configs/butterflies_efficientnet_lite0.py \
      --config.data.root=DIR --workdir=runs/butterflies
"""

from configs.common import base_config


def get_config(variant: str = ""):
    config = base_config()
    return config

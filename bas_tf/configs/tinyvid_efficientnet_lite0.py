"""Five everyday classes (bird, car, dog, lizard, turtle) at 128 pixels.

  python -m bas_tf.train --config=configs/tinyvid_efficientnet_lite0.py \
      --config.data.root=DIR --workdir=runs/tinyvid

The harder set: sky, road and water also identify the class, so hiding the object leaves
its activation high, and the method's premise is weak. Cost: 264 steps, 5 to 7 minutes.
Expected on val (seeds 0, 1, 2): GT-known Loc 0.796, Top-1 Loc 0.709; CAM 0.719, 0.646.
"""

from configs import butterflies_efficientnet_lite0


def get_config(variant: str = ""):
    config = butterflies_efficientnet_lite0.get_config(variant)
    config.data.resize_size = (144, 144)
    config.data.crop_size = (128, 128)
    config.optimizer.drop_epochs = (3, 6)
    config.train.epochs = 8
    return config

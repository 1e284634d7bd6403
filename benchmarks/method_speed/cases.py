"""What is measured: the paper's networks, their losses, a batch of noise, the tasks.

Loads neither TensorFlow nor PyTorch: the process of either imports it.
"""

import importlib

import numpy as np

BACKBONES = ("vgg16", "mobilenet_v1", "resnet50", "inception_v3")
FLAVOURS = {200: "cub", 1000: "ilsvrc"}  # classes: whose losses
TRAIN_BATCH = 8
BATCHES = {"train": TRAIN_BATCH, "network_1": 1, "network_8": 8}  # of every side
PHASES = {"train": ("train",), "inference": ("network_1", "network_8")}


def load_config(backbone: str, classes: int, size: int):
    """The paper's config of a network, at another size and batch, on fresh weights.

    Args:
      classes: a key of `FLAVOURS`; another number takes the losses of ILSVRC.
      size: width and height of the images; a multiple of 32.
    """
    name = f"bas_tf.configs.paper.{FLAVOURS.get(classes, 'ilsvrc')}_{backbone}"
    config = importlib.import_module(name).get_config()
    config.data.crop_size = (size, size)
    config.data.batch_size = TRAIN_BATCH
    config.model.weights = ""
    config.model.variant = "paper"  # of ImageNet's weights it is another
    config.model.top_k = 1
    config.train.strategy = "default"
    config.optimizer.base_rate = 1e-6  # fresh weights diverge at the pretrained rate
    return config


def noise(batch: int, classes: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 [batch, size, size, 3], and labels, int32 [batch]."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [batch, size, size, 3], np.uint8)
    return images, rng.integers(0, classes, [batch], np.int32)

"""One file a backbone; `BACKBONES` is the table of them, `OPTIONS` of their options."""

from bas_tf.models.backbones.efficientnet_lite0 import EfficientNetLite0
from bas_tf.models.backbones.inception_v3 import InceptionV3
from bas_tf.models.backbones.mobilenet_v1 import MobileNetV1
from bas_tf.models.backbones.resnet50 import ResNet50
from bas_tf.models.backbones.vgg16 import VGG16

BACKBONES = {
    "efficientnet_lite0": EfficientNetLite0,
    "inception_v3": InceptionV3,
    "mobilenet_v1": MobileNetV1,
    "resnet50": ResNet50,
    "vgg16": VGG16,
}
OPTIONS = {  # keys of a config's `model` that a backbone takes
    "inception_v3": ("variant",),
    "mobilenet_v1": ("width", "head_downsampling", "variant"),
    "resnet50": ("variant", "trunk_stride"),
}

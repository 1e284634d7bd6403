"""One file a backbone; `BACKBONES` is the table of them."""

from bas_tf.models.backbones.efficientnet_lite0 import EfficientNetLite0
from bas_tf.models.backbones.mobilenet_v1 import MobileNetV1

BACKBONES = {
    "efficientnet_lite0": EfficientNetLite0,
    "mobilenet_v1": MobileNetV1,
}

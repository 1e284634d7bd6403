"""The table of sources, and what `model.weights` of a config means."""

from bas_tf.errors import UserError
from bas_tf.models.localizer import Localizer
from bas_tf.models.weights import (
    bas_official,
    efficientnet_lite,
    keras_applications,
    torchvision,
    weights_file,
)
from bas_tf.models.weights.assign import assign_weights

SOURCES = {
    "bas_official": bas_official.read,
    "torchvision": torchvision.read,
    "keras_applications": keras_applications.read,
    "efficientnet_lite": efficientnet_lite.read,
}
IMAGENET_SOURCES = {  # of "imagenet", where it is not Keras Applications
    "efficientnet_lite0": efficientnet_lite.read,
}


def load_weights(localizer: Localizer, weights: str) -> None:
    """Loads what a config's `model.weights` names.

    Args:
      weights: "" leaves the fresh weights; "imagenet" loads the backbone's ImageNet
        classifier, classifier and generator stay fresh; else the path of a
        `.weights.h5` file.

    Raises:
      UserError: neither of them, or it does not fit.
    """
    if not weights:
        return
    if weights == "imagenet":
        name = localizer.backbone_name
        read = IMAGENET_SOURCES.get(name, keras_applications.read)
        assign_weights(localizer, read(localizer, None))
    elif weights.endswith(weights_file.SUFFIX):
        weights_file.load(localizer, weights)
    else:
        raise UserError(
            f"model.weights is {weights!r}; known: '', imagenet, a workdir, or a file "
            f"that ends in {weights_file.SUFFIX}"
        )

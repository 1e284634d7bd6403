"""Untrained models whose features are of the order of one."""

import keras
import numpy as np


def enliven(model: keras.Model) -> keras.Model:
    """Draws the depthwise kernels anew, large enough to pass features on.

    BatchNorm of a fresh model normalises nothing yet, so what a too small kernel loses
    is lost: after a dozen layers, comparisons would be between zeros.
    """
    rng = np.random.default_rng(0)
    for variable in model.variables:
        if variable.path.endswith("depthwise/conv/kernel"):
            side = variable.shape[0]
            spread = np.sqrt(2.0) / side  # of a sum over side * side pixels
            variable.assign(rng.normal(scale=spread, size=variable.shape))
    return model

"""Exported files with the same predict_fn as the Keras model.

A runner addresses a file by the names in its signature only; the order of outputs does
not matter.
"""

from bas_tf.runners.cam import cam_runner
from bas_tf.runners.litert import load_tflite
from bas_tf.runners.onnx import load_onnx
from bas_tf.runners.runner import Runner
from bas_tf.runners.saved_model import load_saved_model

__all__ = ["Runner", "cam_runner", "load_onnx", "load_saved_model", "load_tflite"]

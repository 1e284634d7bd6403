"""`python -m export.onnx` is `python -m bas_tf.export.onnx`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("bas_tf.export.onnx", run_name="__main__", alter_sys=True)

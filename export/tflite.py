"""`python -m export.tflite` is `python -m bas_tf.export.tflite`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("bas_tf.export.tflite", run_name="__main__", alter_sys=True)

"""`python -m export.saved_model` is `python -m bas_tf.export.saved_model`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("bas_tf.export.saved_model", run_name="__main__", alter_sys=True)

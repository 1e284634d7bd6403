"""`python -m export.layer_errors` is `python -m bas_tf.export.layer_errors`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("bas_tf.export.layer_errors", run_name="__main__", alter_sys=True)

"""`python -m export.serving.client` is `python -m bas_tf.export.serving_client`."""

import runpy

MODULE = "bas_tf.export.serving_client"

if __name__ == "__main__":
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)

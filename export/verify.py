"""`python -m export.verify` is `python -m bas_tf.export.verify`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("bas_tf.export.verify", run_name="__main__", alter_sys=True)

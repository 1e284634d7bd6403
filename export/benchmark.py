"""`python -m export.benchmark` is `python -m bas_tf.export.benchmark`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("bas_tf.export.benchmark", run_name="__main__", alter_sys=True)

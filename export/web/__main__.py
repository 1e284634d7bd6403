"""`python -m export.web` is `python -m bas_tf.export.web`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("bas_tf.export.web", run_name="__main__", alter_sys=True)

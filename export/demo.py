"""`python -m export.demo` is `python -m bas_tf.export.demo`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("bas_tf.export.demo", run_name="__main__", alter_sys=True)

"""A command with the tests' shallow backbone, which starts in half the time.

python -m tests.jobs.on_shallow MODULE FLAGS OF THE MODULE

A launcher of workers builds no network: it does without TensorFlow here, too.
"""

import contextlib
import os
import runpy
import sys

if __name__ == "__main__":
    module, known = sys.argv.pop(1), contextlib.nullcontext()
    if "TF_CONFIG" in os.environ or "--local_workers=2" not in sys.argv:
        from tests.training.narrow import shallow_backbone

        known = shallow_backbone()
    with known:
        runpy.run_module(module, run_name="__main__", alter_sys=True)

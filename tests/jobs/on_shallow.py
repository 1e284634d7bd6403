"""`bas_tf.train` with the tests' shallow backbone, which starts in half the time.

python -m tests.jobs.train_shallow FLAGS OF bas_tf.train
"""

import runpy

from tests.training.narrow import shallow_backbone

if __name__ == "__main__":
    with shallow_backbone():
        runpy.run_module("bas_tf.train", run_name="__main__", alter_sys=True)

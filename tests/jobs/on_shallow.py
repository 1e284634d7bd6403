"""A command with the tests' shallow backbone, which starts in half the time.

python -m tests.jobs.on_shallow MODULE FLAGS OF THE MODULE
"""

import runpy
import sys

from tests.training.narrow import shallow_backbone

if __name__ == "__main__":
    with shallow_backbone():
        runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)

"""Trains a localizer from image-level labels.

  python -m bas_tf.train --config=configs/demo.py --workdir=runs/demo

Continues by itself when WORKDIR holds a checkpoint. Ends with an evaluation
(WORKDIR/metrics.json) and a page to look at (WORKDIR/report.html).
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point

_CONFIG = entry_point.define_config_flag()
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where checkpoints, logs and the report go.", required=True
)


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import run_evaluation, run_training

    config, workdir = _CONFIG(), Path(_WORKDIR.value)
    run_training.run_training(config, workdir)
    judged = run_evaluation.judge_workdir(workdir, config)
    run_evaluation.write_results(judged, workdir)


if __name__ == "__main__":
    entry_point.run(main)

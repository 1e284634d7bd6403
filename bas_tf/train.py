"""Trains a localizer from image-level labels.

  python -m bas_tf.train --config=configs/demo.py --workdir=runs/demo

If WORKDIR has a checkpoint, training resumes at the exact step; SIGTERM saves one and
exits 0. Ends with an evaluation (WORKDIR/metrics.json) and a report
(WORKDIR/report.html).
"""

import os
import sys
from pathlib import Path

from absl import flags

from bas_tf import entry_point


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    config, workdir = entry_point.config(), Path(flags.FLAGS.workdir)
    if flags.FLAGS.local_workers and "TF_CONFIG" not in os.environ:
        sys.exit(_run_local_workers(flags.FLAGS.local_workers, workdir))
    entry_point.load_tensorflow()
    from bas_tf.jobs import results
    from bas_tf.self_training import rounds

    evaluated = rounds.train_and_evaluate(
        config,
        workdir,
        config_name=entry_point.config_name(),
        on_bad_image=flags.FLAGS.on_bad_image,
    )
    if evaluated is None:
        return
    print(results.describe(evaluated))
    print(f"report: {workdir / results.REPORT_FILE}")


def _run_local_workers(count: int, workdir: Path) -> int:
    """Runs this process's command line in `count` processes with TF_CONFIG set."""
    from bas_tf.training import workers

    command = [sys.executable, *sys.orig_argv[1:]]
    command.append("--config.train.strategy=multi_worker")
    return workers.run_local_workers(count, command, log_dir=workdir)


if __name__ == "__main__":
    entry_point.define_config_flag()
    entry_point.define_bad_image_flag()
    entry_point.define_path(
        "workdir", None, "Where checkpoints, logs and the report go.", required=True
    )
    flags.DEFINE_integer(
        "local_workers",
        0,
        "Train in this many processes here (train.strategy=multi_worker), to try out "
        "several machines; 0: in this process.",
        lower_bound=0,
    )
    entry_point.run(main, loads_tensorflow=False)

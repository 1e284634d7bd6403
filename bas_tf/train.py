"""Trains a localizer from image-level labels.

  python -m bas_tf.train --config=configs/demo.py --workdir=runs/demo

Continues by itself when WORKDIR holds a checkpoint. Ends with an evaluation
(WORKDIR/metrics.json) and a page to look at (WORKDIR/report.html).
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import results, run_evaluation, run_training

    config, workdir = entry_point.config(), Path(flags.FLAGS.workdir)
    on_bad_image = flags.FLAGS.on_bad_image
    run_training.run_training(config, workdir, on_bad_image=on_bad_image)
    judged = run_evaluation.judge_model(
        workdir,
        config,
        split=config.eval.split,
        config_name=entry_point.config_name(),
        on_bad_image=on_bad_image,
        skipped_dir=workdir,
    )
    rows = [
        *results.baseline_rows(judged),
        results.table_row("keras", judged.document["metrics"]),
    ]
    results.write_results(judged, workdir, rows)
    print(results.describe(judged))


if __name__ == "__main__":
    entry_point.define_config_flag()
    entry_point.define_bad_image_flag()
    flags.DEFINE_string(
        "workdir", None, "Where checkpoints, logs and the report go.", required=True
    )
    entry_point.run(main)

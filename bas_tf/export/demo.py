"""Runs everything end to end: train, evaluate, export, evaluate every file, report.

  python -m export.demo --config=configs/demo.py --workdir=runs/demo

Writes WORKDIR/summary.json and WORKDIR/report.html and prints the results table. All
models see only the centre crop: eval.ten_crop is turned off.
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.export.evaluation import demo_run


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf.report import table

    workdir = Path(flags.FLAGS.workdir)
    rows = demo_run.run_demo(
        entry_point.config(), workdir, config_name=entry_point.config_name()
    )
    if rows is None:
        return
    print(table.format_table(rows))
    print(f"page: {workdir / 'report.html'}")


if __name__ == "__main__":
    entry_point.define_config_flag()
    entry_point.define_path("workdir", None, "Where everything goes.", required=True)
    entry_point.run(main)

"""The paper's ablation: cross-entropy against background activation suppression.

  python -m bas_tf.ablate --config=configs/ablation.py:synthetic --workdir=runs/ablation

Trains every row of the config in its own workdir, WORKDIR/<row>, evaluates it, and
prints one table. Run again, it resumes: a row with a metrics.json is evaluated again,
not trained. SIGTERM saves the current row.

WORKDIR/ablation.md holds the table, WORKDIR/ablation.json its figures:
  protocol, split, num_images, config, seed    what was evaluated
  rows      name; terms (what is added to L_cls); top_k; top1_acc; mean_map (share of
            the image under the foreground map); at: by threshold origin, "fixed"
            (the config's) and "oracle" (the row's best on this split):
            score_threshold, gt_known_loc, gt_known_loc@0.7, mean_iou, top1_loc
"""

from pathlib import Path

from absl import flags

from bas_tf import entry_point


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf.comparison import ablation
    from bas_tf.report import ablation_table

    workdir = Path(flags.FLAGS.workdir)
    document = ablation.run_ablation(
        entry_point.config(), workdir, config_name=entry_point.config_name()
    )
    if document is None:  # SIGTERM, see its log
        return
    ablation.write_results(document, workdir)
    print(ablation_table.ablation_table(document))


if __name__ == "__main__":
    entry_point.define_config_flag()
    entry_point.define_path(
        "workdir", None, "Where the rows and the table go.", required=True
    )
    entry_point.run(main)

r"""Evaluates a trained workdir and every exported file with the same evaluator.

  python -m export.verify --workdir=runs/demo --artifacts=runs/demo/export \
      --output=report.json

Prints one table with figures of protocol bas, then how close each file is to Keras, its
latency and its process's peak memory, measured alternately. Exits 1 if a file loses
more than --max_drop of GT-known, predicted-map or Top-1 Loc against Keras; GT-known Loc
needs a file that takes a class. A file that refines its boxes is compared with Keras's
refined alike. All see only the centre crop, once, whatever the workdir's eval.ten_crop
and eval.views say.
"""

import sys
from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.export.evaluation import verification


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf import files
    from bas_tf.export.evaluation import timing
    from bas_tf.jobs import evaluation, experiment, output_check, results
    from bas_tf.refinement.refined_boxes import refined_runner
    from bas_tf.report import table

    files.check_place(flags.FLAGS.output)
    artifacts = verification.find_artifacts(Path(flags.FLAGS.artifacts))
    loaded = experiment.load_experiment(flags.FLAGS.workdir)
    output_check.check_outputs(
        [flags.FLAGS.output],
        models=[flags.FLAGS.workdir, *artifacts.values()],
        config=loaded.config,
        splits=filter(None, [flags.FLAGS.split]),
    )
    evaluator = evaluation.Evaluator(
        verification.by_centre_crop(loaded.config),
        split=flags.FLAGS.split or loaded.config.eval.split,
        class_names=loaded.class_names,
        on_bad_image=flags.FLAGS.on_bad_image,
        skipped_dir=Path(flags.FLAGS.output).parent,
    )
    keras, rows, every, lost = experiment.load_runner(loaded), [], [], []
    settings = {}
    for refine, of_files in verification.by_refinement(artifacts).items():
        keras_result = evaluator.evaluate(
            refined_runner(keras, refine),
            model=flags.FLAGS.workdir,
            seed=loaded.config.train.seed,
        )
        settings = settings or results.settings_of(keras_result.document)
        name = "keras" if refine == "none" else f"keras_{refine}"
        keras_row = results.table_row(name, keras_result.document["metrics"])
        found = verification.verify_artifacts(evaluator, keras_result, of_files)
        lost += verification.lost_too_much(found, keras_row, flags.FLAGS.max_drop)
        every += [] if every else results.baseline_rows(keras_result)
        every += [keras_row, *found]
        rows += found
    speed = timing.measure(
        artifacts,
        size_wh=tuple(loaded.config.data.crop_size),
        num_threads=flags.FLAGS.num_threads,
    )
    for row in rows:
        row |= speed[row["name"]]
    files.write_json(flags.FLAGS.output, {**settings, "rows": every})
    print(f"{table.format_table(every)}\n\n{verification.format_nearness(rows)}")
    for line in lost:
        print(line, file=sys.stderr)
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    entry_point.define_path("workdir", None, "A trained workdir.", required=True)
    entry_point.define_path(
        "artifacts", None, "The folder of exported files.", required=True
    )
    entry_point.define_path("output", "report.json", "The file to write.")
    flags.DEFINE_string("split", None, "The split; default: the config's eval.split.")
    flags.DEFINE_float(
        "max_drop",
        0.01,
        "Largest allowed drop of a figure against Keras, as a fraction.",
        0,
        1,
    )
    flags.DEFINE_integer(
        "num_threads", 2, "Threads for measuring latency.", lower_bound=1
    )
    entry_point.define_bad_image_flag()
    entry_point.run(main)

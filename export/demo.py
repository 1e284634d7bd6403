"""The main job from start to end: train, judge, export, judge every file, report.

  python -m export.demo --config=configs/demo.py --workdir=runs/demo

Writes WORKDIR/summary.json and WORKDIR/report.html and prints the results table. All
models see the centre crop alone: eval.ten_crop is turned off.
"""

import resource
import time
from pathlib import Path

from absl import flags

from bas_tf import entry_point

SUMMARY_FILE = "summary.json"


def run_demo(config, workdir: Path, *, config_name: str) -> list[dict] | None:
    """Runs everything; returns the rows of the results table.

    None where SIGTERM came in the training, which is saved and goes on with the next
    call.
    """
    from bas_tf import experiment, files, results, run_evaluation, run_training
    from export import onnx, saved_model, tflite, verify

    start = time.monotonic()
    config = verify.by_centre_crop(config)
    if not run_training.run_training(config, workdir, judged_split=config.eval.split):
        return None
    loaded = experiment.load_experiment(workdir)
    judge = run_evaluation.Judge(
        config,
        split=config.eval.split,
        class_names=loaded.class_names,
        config_name=config_name,
    )
    keras_judged = judge.judge(
        experiment.load_runner(loaded), model=str(workdir), seed=config.train.seed
    )
    # The files say what the model reaches.
    results.write_metrics(keras_judged, workdir / results.METRICS_FILE)
    artifacts = workdir / "export"
    saved_model.export_saved_model(loaded, artifacts / verify.SAVED_MODEL)
    tflite.export_tflite(loaded, artifacts, ["none", "int8"])
    onnx.export_onnx(loaded, artifacts)
    rows = [
        *results.baseline_rows(keras_judged),
        results.table_row("keras", keras_judged.document["metrics"]),
        *verify.verify_artifacts(judge, keras_judged, verify.find_artifacts(artifacts)),
    ]
    results.write_results(keras_judged, workdir, rows)
    summary = {
        "seconds": time.monotonic() - start,
        "peak_memory_bytes": peak_memory_bytes(),
        "rows": rows,
    }
    files.write_json(workdir / SUMMARY_FILE, summary)
    return rows


def peak_memory_bytes() -> int:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux: KiB


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    from bas_tf.report import table

    workdir = Path(flags.FLAGS.workdir)
    rows = run_demo(
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

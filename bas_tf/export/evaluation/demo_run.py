"""The main job from start to end: train, evaluate, export, evaluate every file."""

import time
from pathlib import Path

SUMMARY_FILE = "summary.json"


def run_demo(config, workdir: Path, *, config_name: str) -> list[dict] | None:
    """Runs everything; returns the rows of the results table.

    None where SIGTERM came in the training, which is saved and goes on with the next
    call.
    """
    from bas_tf import files
    from bas_tf.export.artifacts import onnx_files, saved_models
    from bas_tf.export.evaluation import timed_artifact, verification
    from bas_tf.export.litert import conversion
    from bas_tf.jobs import evaluation, experiment, results
    from bas_tf.self_training import rounds

    start = time.monotonic()
    config = verification.by_centre_crop(config)
    if not rounds.run_training(config, workdir, evaluated_split=config.eval.split):
        return None
    loaded = experiment.load_experiment(workdir)
    evaluator = evaluation.Evaluator(
        config,
        split=config.eval.split,
        class_names=loaded.class_names,
        config_name=config_name,
    )
    keras_result = evaluator.evaluate(
        experiment.load_runner(loaded), model=str(workdir), seed=config.train.seed
    )
    # The files say what the model reaches.
    files.write_json(workdir / results.METRICS_FILE, keras_result.document)
    artifacts = workdir / "export"
    saved_models.export_saved_model(loaded, artifacts / verification.SAVED_MODEL)
    conversion.export_tflite(loaded, artifacts, ["none", "int8"])
    onnx_files.export_onnx(loaded, artifacts)
    rows = [
        *results.baseline_rows(keras_result),
        results.table_row("keras", keras_result.document["metrics"]),
        *verification.verify_artifacts(
            evaluator, keras_result, verification.find_artifacts(artifacts)
        ),
    ]
    results.write_results(keras_result, workdir, rows)
    summary = {
        "seconds": time.monotonic() - start,
        "peak_memory_bytes": timed_artifact.peak_memory(),
        "rows": rows,
    }
    files.write_json(workdir / SUMMARY_FILE, summary)
    return rows

"""Our side: bas_tf.evaluate on the same photos and weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.jobs import evaluation, experiment
from bas_tf.models.weights import bas_official
from bas_tf.models.weights.assign import assign_weights
from benchmarks.evaluation_speed import data_set
from benchmarks.method_speed import cases, ours


def build(
    *,
    backbone: str,
    classes: int,
    folder: str,
    photos: int,
    threads: int,
    precision: str,
) -> dict[str, Callable[[], EvaluationResult]]:
    """{"evaluate": one evaluation}, with the model loaded; see `torch_loop.build`."""
    ours.use_threads(threads)
    config = cases.load_config(backbone, classes, data_set.CROP)
    config.data.source, config.data.root = "folder", folder
    config.data.resize_size = data_set.RESIZE
    config.eval.update(
        ten_crop=True,
        ten_crop_precision=precision,
        batch_size=photos,
        score_threshold=data_set.THRESHOLD,
        threshold_origin="fixed",
    )
    class_names = tuple(map(data_set.class_name, range(classes)))
    localizer = ours.build_localizer(config, classes)
    weights = Path(folder) / data_set.WEIGHTS
    assign_weights(localizer, bas_official.read(localizer, weights))
    runner = experiment.keras_runner(
        localizer,
        config,
        class_names,
        score_threshold=data_set.THRESHOLD,
        scores_precision=precision,
    )

    def evaluate() -> EvaluationResult:
        evaluator = evaluation.Evaluator(
            config, split=data_set.SPLIT, class_names=class_names
        )
        evaluated = evaluator.evaluate(runner, model="fresh")
        np.save(Path(folder) / f"{precision}.npy", evaluated.predictions.boxes)
        return evaluated

    return {"evaluate": evaluate}

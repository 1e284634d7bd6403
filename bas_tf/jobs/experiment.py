"""From a config to the parts it names, and from a workdir back to its model.

Here, and in the entry points, configs end: everything below takes plain arguments.
"""

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_collections

from bas_tf.configs.common import with_defaults
from bas_tf.data.records import Source
from bas_tf.data.sources import load_source
from bas_tf.errors import UserError, check_choice

CONFIG_FILE, LOG_FILE = "config.json", "metrics.jsonl"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A training run on disk: its config and the classes it learnt."""

    workdir: Path
    config: ml_collections.ConfigDict
    class_names: tuple[str, ...]

    @functools.cached_property
    def trained(self):
        """The trained localizer, restored once, and how many steps it took.

        It is the newest checkpoint's or, where epochs were evaluated (train.select_by),
        the best one's.

        Raises:
          UserError: there is no checkpoint yet, or it does not fit.
        """
        config = self.config.copy_and_resolve_references()
        config.model.weights = ""  # the checkpoint holds every weight
        localizer = build_model(config, len(self.class_names))
        return localizer, restore(self, localizer)


def open_source(
    config, class_names: tuple[str, ...] | None = None, **listeners
) -> Source:
    """The data source of a config; `class_names` fixes the order of classes.

    `listeners` is `on_fault`, for a source that goes on after a fault of its folders.
    """
    options = config.data.to_dict() | listeners
    return load_source(options.pop("source"), class_names=class_names, **options)


def images_of(config, split: str) -> dict[str, Any]:
    """What of a config says which images a split has: {key: value}."""
    data = config.data
    if data.source != "synthetic":
        return {"data.source": data.source, "data.root": data.root}
    images = {
        "data.source": data.source,
        "data.image_size": list(data.image_size),
        "data.seed": data.seed,
        f"data.num_images.{split}": data.num_images.get(split),
    }
    keys = ["objects_per_image", "object_overlap"] * (data.objects_per_image > 1)
    keys += ["classes_per_image"] * (data.classes_per_image > 1)
    keys += ["none_every"] * bool(data.none_every)
    return images | {f"data.{key}": data[key] for key in keys}


def training_images(config, records, class_names: Sequence[str]):
    """Records of the training split as `pipeline.TrainingImages`.

    Raises:
      UserError: masks that do not fit, see `PseudoMasks`.
    """
    from bas_tf.data import pipeline
    from bas_tf.data.pseudo_masks import PseudoMasks, check_corrected

    folder, is_single = config.data.pseudo_masks, config.loss.classification == "single"
    classes = class_names if config.model.map_outputs == "softmax" else None
    masks = PseudoMasks(folder, records, classes) if folder else None
    check_corrected(config.data.corrected_boxes, masks)
    return pipeline.TrainingImages(
        records,
        num_classes=None if is_single else len(class_names),
        masks=masks,
        resize_size_wh=tuple(config.data.resize_size),
        keep=config.data.cache,
    )


def build_model(
    config,
    num_classes: int,
    *,
    precision: str = "float32",
    synchronized_batch_norm: bool = False,
):
    """A localizer as the config's model and data groups say.

    Its weights are fresh or a file's; a workdir's are loaded by `resuming.load_start`.

    Args:
      num_classes: of the data.
      precision: what its layers compute in, see `ops.precision`. Training says
        `train.precision`; evaluation and export take float32, on the same variables.
      synchronized_batch_norm: see `models.batch_norm`; only training has
        more than one replica to ask.

    Raises:
      UserError: a setting that does not exist, or weights that do not fit.
    """
    from bas_tf.models import backbones
    from bas_tf.models.localizer import build_localizer
    from bas_tf.models.weights.sources import load_weights
    from bas_tf.ops.precision import layers_computing_in

    model = config.model
    classifier = {
        "variant": model.classifier,
        "width": model.classifier_width,
        "final_relu": model.final_relu,
    }
    backbone_keys = backbones.OPTIONS.get(model.backbone, ())
    with layers_computing_in(precision):
        localizer = build_localizer(
            backbone=model.backbone,
            num_classes=num_classes,
            input_size_wh=tuple(config.data.crop_size),
            synchronized_batch_norm=synchronized_batch_norm,
            classifier=classifier,
            head_biases=model.head_biases,
            normalize_generator_input=model.normalize_generator_input,
            map_outputs=model.map_outputs,
            top_k=model.top_k,
            backbone_options={key: model[key] for key in backbone_keys},
        )
    if not names_workdir(model.weights):
        load_weights(localizer, model.weights)
    return localizer


def names_workdir(weights: str) -> bool:
    """Whether a config's `model.weights` is a folder: the workdir of a training."""
    return bool(weights) and Path(weights).is_dir()


def load_experiment(workdir: str | Path | Experiment) -> Experiment:
    """Reads what `resuming.write_experiment` wrote; what was read comes back as it is.

    Raises:
      UserError: the folder holds no finished or running training.
    """
    if isinstance(workdir, Experiment):
        return workdir
    path = Path(workdir) / CONFIG_FILE
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{workdir}: no {CONFIG_FILE} in it; expected a --workdir of bas_tf.train"
        ) from error
    except ValueError as error:  # no JSON, or no text
        raise UserError(f"{path}: not valid JSON ({error})") from error
    try:
        config, class_names = with_defaults(saved["config"]), saved["class_names"]
        return Experiment(Path(workdir), config, tuple(class_names))
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not of a training of this project; expected the {CONFIG_FILE} of "
            "a --workdir of bas_tf.train"
        ) from error


def load_localizer(experiment: Experiment):
    """The trained localizer of a workdir, see `Experiment.trained`."""
    return experiment.trained[0]


def restore(experiment: Experiment, localizer) -> int:
    """Gives a localizer the weights of a workdir, and says how many steps they took."""
    from bas_tf.training.checkpoint import BEST_FOLDER, FOLDER, Checkpointer

    folder = BEST_FOLDER if selects_best(experiment.config) else FOLDER
    steps = Checkpointer(experiment.workdir, localizer, folder=folder).restore()
    if steps is None:
        raise UserError(f"{experiment.workdir}: no checkpoint in it yet")
    return steps


def selects_best(config) -> bool:
    """Whether each epoch is evaluated and the best one's weights are kept."""
    return bool(config.train.select_by and config.train.epochs)


def load_runner(
    model: str | Path | Experiment,
    *,
    score_threshold: float | None = None,
    scores_precision: str = "float32",
    views: str = "",
):
    """Any model the commands take: a workdir, a SavedModel folder, .tflite or .onnx.

    Args:
      model: its path, or a workdir that is loaded already.
      score_threshold: of a workdir's boxes; None takes its config's. Files keep the
        threshold they were exported with.
      scores_precision: see `keras_runner`; files compute in their own.
      views: of a workdir, what its maps are averaged over, see `refinement.views`.

    Raises:
      UserError: nothing there that could be run, an unknown precision, or views of a
        file.
    """
    from bas_tf import runners

    path = model.workdir if isinstance(model, Experiment) else Path(model)
    if views and not (path / CONFIG_FILE).is_file():
        raise UserError(f"eval.views is {views!r}, but {path} is no training workdir")
    if path.suffix == ".tflite":
        return runners.load_tflite(path)
    if path.suffix == ".onnx":
        return runners.load_onnx(path)
    if (path / "saved_model.pb").is_file():
        return runners.load_saved_model(path)
    if not (path / CONFIG_FILE).is_file():
        raise UserError(
            f"--model={model}: neither a training workdir ({CONFIG_FILE}), nor a "
            "SavedModel folder, nor a .tflite or .onnx file"
        )
    loaded = load_experiment(model)
    if score_threshold is None:
        score_threshold = loaded.config.eval.score_threshold
    localizer = load_localizer(loaded)
    runner = keras_runner(
        localizer,
        loaded.config,
        loaded.class_names,
        score_threshold=score_threshold,
        scores_precision=scores_precision,
    )
    if not views:
        return runner
    from bas_tf.refinement.views import averaged_runner

    return averaged_runner(localizer, runner, views)


def keras_runner(
    localizer,
    config,
    class_names,
    *,
    score_threshold: float,
    scores_precision: str = "float32",
):
    """A localizer in float32, and the config it was built by, as a `runners.Runner`.

    The pass that only classifies computes in `scores_precision`: in another one than
    float32 a copy of the localizer does it. UserError for an unknown one.
    """
    from bas_tf import inference, runners
    from bas_tf.models.foreground_generator import SOFTMAX
    from bas_tf.ops.precision import PRECISIONS

    check_choice("eval.ten_crop_precision", scores_precision, PRECISIONS)
    classifier = localizer
    if scores_precision != "float32":
        config = config.copy_and_resolve_references()
        config.model.weights = ""
        classifier = build_model(config, len(class_names), precision=scores_precision)
        classifier.set_weights(localizer.get_weights())
    return runners.Runner(
        inference.make_predict_fn(localizer, score_threshold=score_threshold),
        tuple(class_names),
        tuple(config.data.crop_size),
        inference.make_scores_fn(classifier),
        scores_precision,
        score_threshold=score_threshold,
        label_fn=inference.make_label_fn(localizer, score_threshold=score_threshold),
        labels_pixels=localizer.generator.map_outputs == SOFTMAX,
    )

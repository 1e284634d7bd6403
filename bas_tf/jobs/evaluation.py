"""One evaluation of a model: runs it over a split and measures it by a protocol."""

import dataclasses
import functools
from pathlib import Path

import numpy as np

from bas_tf import inference
from bas_tf.data import bad_images, pipeline, preprocess
from bas_tf.errors import UserError, check_choice
from bas_tf.evaluators import figures, metrics_file
from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.evaluators.pixel_figures import label_figures
from bas_tf.evaluators.predictions import LABEL, Predictions, predict_all
from bas_tf.evaluators.protocols import PROTOCOLS
from bas_tf.geometry.objects import ALL
from bas_tf.jobs import evaluation_options, experiment
from bas_tf.ops import determinism
from bas_tf.refinement import pseudo_mask
from bas_tf.refinement.refined_boxes import NONE, refined_runner
from bas_tf.refinement.views import scaled_sizes
from bas_tf.runners import Runner, cam_runner


class Evaluator:
    """One split, read once, before which any number of models can be brought.

    Args:
      config: its data and eval groups.
      split: the split to evaluate on.
      class_names: the models' classes.
      config_name: for metrics.json.
      protocol: a key of `protocols.PROTOCOLS`.
      on_bad_image: "error" or "skip", see `bad_images`.
      skipped_dir: where "skip" lists what it left out.

    Raises:
      UserError: the data has faults; the protocol is unknown or does not go with
        eval.ten_crop; a mistake in the eval group.
    """

    def __init__(
        self,
        config,
        *,
        split: str,
        class_names,
        config_name: str = "",
        protocol: str = "bas",
        on_bad_image: str = "error",
        skipped_dir: Path = Path(),
    ):
        determinism.make_deterministic()
        check_choice("--protocol", protocol, PROTOCOLS)
        evaluation_options.check_options(config)
        if views := config.eval.views:
            config = config.copy_and_resolve_references()
            sizes = scaled_sizes(views, config.data.resize_size, config.data.crop_size)
            config.data.resize_size, config.data.crop_size = sizes
        self.config, self.split, self.protocol = config, split, protocol
        self.config_name, self.class_names = config_name, tuple(class_names)
        self._rules = PROTOCOLS[protocol]
        if config.eval.ten_crop and not self._rules.crops:
            raise UserError(
                f"eval.ten_crop is True, but protocol {protocol} resizes images to the "
                "network's input and has no margin to crop from: set it to False"
            )
        self._refine = config.eval.refine
        is_fixed = config.eval.threshold_origin == figures.FIXED
        self._takes_boxes = self._rules.takes_boxes and is_fixed
        if self._refine != NONE and not self._takes_boxes:
            needs = f"needs protocol bas and eval.threshold_origin {figures.FIXED!r}"
            raise UserError(f"eval.refine is {self._refine!r}, which {needs}")
        self._extra = {"all_boxes": True} if config.eval.boxes == ALL else {}
        if self._extra and (self._refine != NONE or protocol != "bas"):
            raise UserError(
                f"eval.boxes is {ALL!r}; needs protocol bas, eval.refine none"
            )
        if self._rules.crops:
            preprocess.check_sizes(config.data.resize_size, config.data.crop_size)
        self._source = bad_images.guard_source(
            experiment.open_source(config, self.class_names),
            on_bad_image=on_bad_image,
            folder=skipped_dir,
        )
        self._splits: dict = {}

    def evaluate(
        self, runner: Runner, *, model: str, seed: int | None = None
    ) -> EvaluationResult:
        """Runs a model over the split and measures it by the protocol.

        Args:
          runner: the model.
          model: its name for metrics.json.
          seed: of its training, when known.

        Raises:
          UserError: another model's data; a file whose boxes are cut at another
            threshold than the config's, or, for eval.ten_crop, whose scores are of its
            best classes alone; a split without the masks or boxes that the protocol or
            the threshold's origin needs.
        """
        self._check(runner, model)
        if self.config.eval.map == evaluation_options.CAM:
            runner = cam_runner(runner, self.config.eval.score_threshold)
        runner = refined_runner(runner, self._refine)
        map_class = self.config.eval.map_class
        label_fn = runner.label_fn if map_class == LABEL else None
        predict = functools.partial(self._predict, runner, label_fn)
        options = self.config.eval
        records, images, truth = self._read(self.split)
        threshold, origin = options.score_threshold, options.threshold_origin
        if origin == figures.VAL_OPTIMAL and self.split == "val":
            origin = figures.ORACLE  # chosen on the very boxes that are evaluated
        if origin == figures.VAL_OPTIMAL:
            val, _, val_truth = self._read("val")
            threshold = self._rules.choose_threshold(predict("val"), val_truth, val)
        predictions = predict(self.split, ten_crop=options.ten_crop)
        if origin == figures.SELF:
            threshold = self._threshold_without_boxes(images, predictions)
        evaluation = self._rules.evaluate(
            predictions,
            truth,
            records=records,
            score_threshold=threshold,
            threshold_origin=origin,
            **self._extra,
        )
        of_labels, ious = label_figures(
            predictions.segmentations, truth, records, self.class_names
        )
        evaluation = dataclasses.replace(
            evaluation, figures={**evaluation.figures, **of_labels}
        )
        document = self._document(evaluation, runner, model=model, seed=seed)
        return EvaluationResult(
            document=document | ious,
            evaluation=evaluation,
            records=records,
            predictions=predictions,
            truth=truth,
            images=images,
            class_names=self.class_names,
            config=self.config,
        )

    def _threshold_without_boxes(self, images, predictions: Predictions) -> float:
        shown = np.flatnonzero(predictions.labels != predictions.no_object)
        some = shown[pseudo_mask.threshold_sample(len(shown))]
        crop_size = tuple(self.config.data.crop_size)
        crops = pipeline.centre_crops(images, some, crop_size_wh=crop_size)
        return pseudo_mask.threshold_without_boxes(crops, predictions.maps[some])

    def _document(self, evaluation, runner: Runner, **of_model) -> dict:
        """What metrics.json says: the figures, and what they were measured on."""
        document = metrics_file.metrics_document(
            evaluation,
            protocol=self.protocol,
            split=self.split,
            config=self.config_name,
            **of_model,
        )
        if isinstance(self._source, bad_images.SkippingSource):
            document["num_skipped_images"] = self._source.num_skipped[self.split]
        document["data"] = experiment.images_of(self.config, self.split)
        if self.config.eval.ten_crop:
            document["ten_crop_precision"] = runner.scores_precision
        if runner.refine != NONE and self._takes_boxes:
            metrics_file.add_setting(document, "refine", runner.refine)
        if runner.views:
            metrics_file.add_setting(document, "views", runner.views)
        if self.config.eval.map == evaluation_options.CAM:
            metrics_file.add_setting(document, "map", evaluation_options.CAM)
        return document

    def _check(self, runner: Runner, model: str) -> None:
        if self._extra and runner.refine != NONE:
            raise UserError(
                f"eval.boxes is {ALL!r}, but {model} refines the box of one object"
            )
        if self.config.eval.ten_crop:
            self._check_ten_crops(runner, model)
        views = self.config.eval.views
        crop = tuple(self.config.data.crop_size)
        if runner.views != views:
            raise UserError(
                f"eval.views is {views!r}, but {model} has {runner.views!r}"
            )
        if runner.input_size_wh not in (None, crop):
            raise UserError(
                f"data.crop_size is {crop}, but the model takes {runner.input_size_wh}"
            )
        if runner.class_names != self.class_names:
            raise UserError(
                f"the model's classes {runner.class_names[:3]}… are not the data's "
                f"{self.class_names[:3]}…"
            )
        drawn_at, threshold = runner.score_threshold, self.config.eval.score_threshold
        is_another = drawn_at is not None and abs(drawn_at - threshold) > 1e-6
        if self._takes_boxes and is_another:
            raise UserError(
                f"eval.score_threshold is {threshold}, but {model} cuts its boxes at "
                f"{drawn_at}: evaluate it by that, or export it again"
            )

    def _check_ten_crops(self, runner: Runner, model: str) -> None:
        count, num_scored = len(runner.class_names), runner.num_scored
        if num_scored is not None and num_scored < count:
            raise UserError(
                f"eval.ten_crop is True, but {model} is an exported file, which tells "
                f"the scores of its best {num_scored} classes: ten crops need those of "
                f"all {count}; set it to False, or evaluate the workdir it comes from"
            )
        wanted = evaluation_options.scores_precision(self.config)
        if runner.scores_precision != wanted:
            raise UserError(
                f"eval.ten_crop_precision is {wanted!r}, but the model classifies in "
                f"{runner.scores_precision}; only a workdir can be asked for another"
            )

    def _read(self, split: str):
        """(records, images, truth) of a split, read once."""
        if split not in self._splits:
            data = self.config.data
            crop_size = tuple(data.crop_size)
            resize_size = tuple(data.resize_size) if self._rules.crops else crop_size
            records = self._source.records(split)
            if not records:
                raise UserError(f"split {split!r} of the data has no images")
            if self._rules.needs_masks and all(r.load_mask is None for r in records):
                raise UserError(
                    f"--protocol={self.protocol} needs true masks, and none of the "
                    f"{len(records)} images of split {split!r} has one"
                )
            images = pipeline.ResizedImages(
                records, resize_size_wh=resize_size, keep=data.cache
            )
            truth = self._rules.load_truth(
                records, resize_size_wh=resize_size, crop_size_wh=crop_size
            )
            self._splits[split] = records, images, truth
        return self._splits[split]

    def _predict(
        self, runner: Runner, label_fn, split: str, *, ten_crop: bool = False
    ) -> Predictions:
        _, images, _ = self._read(split)
        crop_size = tuple(self.config.data.crop_size)
        batches = pipeline.evaluation_batches(
            images, crop_size_wh=crop_size, batch_size=self.config.eval.batch_size
        )
        rank_fn = functools.partial(
            inference.ten_crop_scores,
            images=images,
            scores_fn=runner.scores,
            crop_size_wh=crop_size,
        )
        with pipeline.reading(images):
            return predict_all(
                batches=batches,
                num_records=len(images),
                predict_fn=runner.predict_fn,
                label_fn=label_fn,
                rank_fn=rank_fn if ten_crop else None,
                class_names=self.class_names,
            )


def evaluate_model(model: str, config, **options) -> EvaluationResult:
    """Evaluates what `experiment.load_runner` can load; options as `Evaluator`."""
    loaded, seed = model, None
    if (Path(model) / experiment.CONFIG_FILE).is_file():
        loaded = experiment.load_experiment(model)
        seed = loaded.config.train.seed
    runner = experiment.load_runner(
        loaded,
        score_threshold=config.eval.score_threshold,
        scores_precision=evaluation_options.scores_precision(config),
        views=config.eval.views,
    )
    evaluator = Evaluator(config, class_names=runner.class_names, **options)
    return evaluator.evaluate(runner, model=str(model), seed=seed)

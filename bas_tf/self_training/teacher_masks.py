"""Pseudo-masks of training photos, made by a trained network."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from bas_tf import files, inference, names
from bas_tf.data import bad_images
from bas_tf.data.images import in_parallel
from bas_tf.data.pseudo_masks import INDEX_FILE, content_hash, mask_paths
from bas_tf.data.records import Record
from bas_tf.errors import UserError
from bas_tf.jobs import experiment, output_check, resuming
from bas_tf.refinement import grabcut, pseudo_mask
from bas_tf.refinement.views import MULTIPLE, Views, mean_over_views
from bas_tf.self_training.corrected_boxes import fingerprint, read_corrected_boxes

BATCH = 16  # photos in memory at a time
_SCALE = 1.2  # of the size it was trained at; more sizes make no better masks
_THRESHOLD_PIXELS = 160 * 160


def write_masks(
    workdir: Path | experiment.Experiment,
    config,
    output: Path,
    *,
    on_bad_image: str = "error",
) -> dict[str, int]:
    """Writes a mask of each training photo whose map and colours agree.

    Photos of the class names.NO_OBJECT get none and are not counted.

    The map of the photo's own class, averaged with its mirror image's, is cut at the
    threshold that the photos themselves give, and refined by GrabCut. A photo of
    `data.corrected_boxes` always gets a mask, one inside its boxes. The same call
    continues where an earlier one was stopped.

    Args:
      workdir: of a training.
      config: its data group says where the photos and corrected boxes are.
      output: gets a PNG for each photo, see `data.pseudo_masks`, and INDEX_FILE.
      on_bad_image: "error" or "skip", see `bad_images`.

    Returns:
      {"photos", "masks", "disagree"}: how many there are of each.

    Raises:
      UserError: the data has other classes, an output that is not writable or belongs
        to another teacher, other photos or other corrected boxes.
      DataError: a photo that cannot be read, or `corrected_boxes` that do not fit.
    """
    teacher = experiment.load_experiment(workdir)
    output_check.check_outputs(
        [output / INDEX_FILE], models=[teacher], config=config, splits=["train"]
    )
    opened = experiment.open_source(config, teacher.class_names)
    source = bad_images.guard_source(opened, on_bad_image=on_bad_image, folder=output)
    no_object = names.no_object_id(teacher.class_names)
    records = [r for r in source.records("train") if r.label != no_object]
    corrected = read_corrected_boxes(config.data.corrected_boxes, opened, records)
    maps_of = _make_maps_fn(teacher)
    paths = mask_paths(output, [record.image_id for record in records])
    index = _begin(teacher, records, paths, output, maps_of, corrected)
    if not index["finished"]:
        for start in tqdm(range(0, len(records), BATCH), "masks", unit="batch"):
            some = slice(start, start + BATCH)
            index["photos"] |= _write_batch(
                records[some], paths[some], maps_of, index["score_threshold"], corrected
            )
        index["finished"] = True
        files.write_json(output / INDEX_FILE, index)
    photos = index["photos"]
    masks = sum(photo["mask"] for photo in photos.values())
    return {"photos": len(photos), "masks": masks, "disagree": len(photos) - masks}


def _begin(
    teacher,
    records: Sequence[Record],
    paths: Sequence[Path],
    output: Path,
    maps_of,
    corrected: Mapping,
) -> dict:
    """The index of masks to go on with, or a new one, written."""
    path = output / INDEX_FILE
    made_by = resuming.identity(teacher, records) | {
        "corrected_boxes": fingerprint(corrected)
    }
    if path.is_file():
        index = json.loads(path.read_text(encoding="utf-8"))
        if {key: index.get(key) for key in made_by} != made_by:
            raise UserError(
                f"{path}: has masks by another teacher, of other photos or of other "
                f"corrected boxes; use another folder, or delete {output}"
            )
        return index
    if there := next((p for p in paths if p.exists()), None):
        raise UserError(
            f"{there}: is there, but {path} is not, so it may be anybody's; use "
            f"another folder, or delete {output} if a teacher made it"
        )
    some = [records[i] for i in pseudo_mask.threshold_sample(len(records))]
    photos = [record.load_image() for record in some]
    threshold = pseudo_mask.threshold_without_boxes(
        [grabcut.bounded(photo, _THRESHOLD_PIXELS) for photo in photos],
        maps_of(photos, [record.label for record in some]),
    )
    index = {**made_by, "score_threshold": threshold, "finished": False, "photos": {}}
    files.write_json(path, index)
    return index


def _write_batch(
    records: Sequence[Record],
    paths: Sequence[Path],
    maps_of,
    score_threshold: float,
    corrected: Mapping[str, np.ndarray],
) -> dict[str, dict]:
    """Masks of a few photos; those that are there already are not made again."""
    hashes = [content_hash(record) for record in records]
    missing = [i for i, path in enumerate(paths) if not path.is_file()]
    photos = [records[i].load_image() for i in missing]
    maps = maps_of(photos, [records[i].label for i in missing]) if photos else []

    def make(i: int, photo: np.ndarray, score_map: np.ndarray) -> None:
        options = {"score_threshold": score_threshold}
        boxes = corrected.get(records[i].image_id)
        if boxes is None:
            mask = pseudo_mask.pseudo_mask(photo, score_map, **options)
        else:
            mask = pseudo_mask.corrected_mask(photo, score_map, boxes, **options)
        if mask is not None:
            files.write_file(paths[i], cv2.imencode(".png", mask)[1].tobytes())

    in_parallel(make, missing, photos, maps)
    return {
        record.image_id: {"sha256": digest, "mask": path.is_file()}
        for record, digest, path in zip(records, hashes, paths, strict=True)
    }


def _make_maps_fn(teacher: experiment.Experiment):
    """(photos, labels) -> each label's maps, with mirror images: float32 [n, h, w]."""
    localizer = experiment.load_localizer(teacher)
    trained_wh = teacher.config.data.crop_size
    size_wh = tuple(MULTIPLE * round(n * _SCALE / MULTIPLE) for n in trained_wh)

    @inference.of_any_batch
    def in_graph(images, class_ids):
        features = localizer.backbone.trunk(images, training=False)
        return localizer.generator(features, class_ids[:, tf.newaxis])[..., 0]

    def maps_of(photos: Sequence[np.ndarray], labels: Sequence[int]) -> np.ndarray:
        class_ids = tf.constant(labels, tf.int32)

        def maps_fn(images: np.ndarray) -> dict[str, np.ndarray]:
            maps = in_graph(tf.constant(images), class_ids)
            return {names.LOCALIZATION_MAP: maps.numpy()}

        views = Views((size_wh,), mirrored=True)
        return mean_over_views(maps_fn, photos, views)[names.LOCALIZATION_MAP]

    return maps_of

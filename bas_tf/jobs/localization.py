"""Photos in, overlay PNGs and predictions.json out, in original pixels."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bas_tf import files, inference, names
from bas_tf.data import decode
from bas_tf.errors import UserError, check_choice
from bas_tf.geometry import objects
from bas_tf.geometry.frames import CropFrame, Size
from bas_tf.jobs import experiment, output_check
from bas_tf.jobs.found_classes import found_classes
from bas_tf.jobs.photo_batches import (
    Photo,
    Pixels,
    log_skipped,
    predict_ahead,
    read_batches,
    run_in_threads,
)
from bas_tf.metrics import confidence
from bas_tf.metrics.confidence import FOUND_CONFIDENCE
from bas_tf.refinement import masks, refined_boxes
from bas_tf.report import pictures
from bas_tf.runners import Runner

PREDICTIONS_FILE = "predictions.json"
OVERLAY_SUFFIX, MASK_SUFFIX = "_localized.png", "_mask.png"
MASK = "mask"  # bool [height, width] of an answer
OBJECTS = "objects"  # float [k, 4] boxes and [k] scores of an answer
_UNKNOWN_THRESHOLD = 0.5  # of a file of an older version, for its confidence


def localize_photos(
    model: str,
    paths: Sequence[Path],
    output: Path,
    *,
    class_name: str | None,
    refine: str = refined_boxes.NONE,
    views: str = "",
    min_confidence: float = FOUND_CONFIDENCE,
    boxes: str = objects.ONE,
) -> list[dict]:
    """Localizes the object of each photo, resized whole; unreadable ones are logged.

    Args:
      model: a workdir, a SavedModel folder, a .tflite or .onnx file.
      paths: photos of any size; EXIF rotation is honoured.
      output: gets PHOTO_localized.png for each photo, and predictions.json.
      class_name: the class to localize; None for the predicted one.
      refine: of `refined_boxes.REFINEMENTS`; unless NONE, output also gets
        PHOTO_mask.png: 255 object, 0 background.
      views: of a workdir, what maps are averaged over, see `refinement.views`.
      min_confidence: of a box that is found; overlays show no other.
      boxes: of `objects.BOXES`.

    Returns:
      What predictions.json holds: for each readable photo its file ("image"), the
      overlay's name and what `row_of` says; with a refinement also `refine`, the mask's
      name, and the mask as COCO's uncompressed RLE.

    Raises:
      UserError: an output that is one of the photos or part of the model, an unknown
        class, or --class with an exported file; nothing is written then. None of the
        photos can be read.
    """
    overlays = _file_names(paths, OVERLAY_SUFFIX)
    masks_of = _file_names(paths, MASK_SUFFIX) if refine != refined_boxes.NONE else {}
    written = (*overlays.values(), *masks_of.values(), PREDICTIONS_FILE)
    outputs = [output / name for name in written]
    output_check.check_outputs(outputs, models=[model], others=paths)
    runner = _load_runner(model, class_name, views)
    rows, faults = [], []

    def drawings() -> Iterator[Callable]:
        batches = read_batches(paths, decode.decode_image, faults)
        for path, photo, answer in predict_photos(
            batches, runner, refine=refine, boxes=boxes
        ):
            row = {"image": str(path), "overlay": overlays[path]}
            row |= row_of(photo, answer, runner.class_names, min_confidence)
            if path in masks_of:
                row |= {"refine": refine, "mask": masks_of[path]}
                row |= _write_mask(output / masks_of[path], answer[MASK])
            rows.append(row)
            file = output / overlays[path]
            yield functools.partial(_write_overlay, file, photo, answer, row)

    run_in_threads(drawings())
    log_skipped(faults, len(paths))
    files.write_json(output / PREDICTIONS_FILE, rows)
    return rows


def _write_mask(path: Path, mask: np.ndarray) -> dict:
    drawn = np.repeat(mask[..., np.newaxis], 3, axis=2) * np.uint8(255)
    pictures.write_png(path, drawn)
    return {"mask_rle": masks.run_lengths(mask)}


def _write_overlay(path: Path, photo: np.ndarray, answer: dict, row: dict) -> None:
    classes = row.get("classes", [])
    drawn = row.get("objects", classes or [row]) if row["found"] else []
    labels = [f"{row['class']} {row['score']:.2f}"]
    if drawn is classes:
        labels = [each["class"] for each in classes]
    overlay = pictures.overlay(
        photo,
        answer[names.LOCALIZATION_MAP],
        boxes=[np.asarray(each["box"]) for each in drawn],
        labels=labels,
    )
    pictures.write_png(path, overlay, of_photo=True)


def predict_photos(
    batches: Iterable[Sequence[tuple[Photo, Pixels]]],
    runner: Runner,
    *,
    refine: str = refined_boxes.NONE,
    labels: Mapping[Photo, int] | None = None,
    boxes: str = objects.ONE,
) -> Iterator[tuple[Photo, Pixels, dict[str, Any]]]:
    """Each photo with its outputs, boxes in its pixels.

    The network is at the next batch meanwhile, see `photo_batches.predict_ahead`. The
    names.CONFIDENCE is of the map, refined or not.

    Args:
      batches: of `photo_batches.read_batches`.
      refine: of `refined_boxes.REFINEMENTS`; refined, a photo also has its MASK.
      labels: whose maps and boxes these are; without any the predicted classes'.
      boxes: with `objects.ALL` also its OBJECTS, of the refined mask if there is one.
    """
    check_choice("boxes", boxes, objects.BOXES)
    if boxes == objects.ALL and runner.score_threshold is None:
        raise UserError(
            "boxes=all: the model's file does not say its score_threshold: export it "
            "again"
        )
    for photo, pixels, outputs, sent in predict_ahead(batches, runner, labels):
        yield photo, pixels, _answer(pixels, outputs, sent, runner, refine, boxes)


def _answer(
    photo: np.ndarray,
    answer: dict[str, Any],
    sent: Size,
    runner: Runner,
    refine: str,
    boxes: str,
) -> dict[str, Any]:
    frame = CropFrame(photo.shape[1::-1], sent, sent)
    answer[names.BOXES] = frame.crop_to_original(answer[names.BOXES][np.newaxis])[0]
    answer[names.CONFIDENCE] = _confidence(answer, runner)
    if refine != refined_boxes.NONE:
        answer |= _refined(photo, answer, runner, refine)
    if boxes == objects.ALL:
        answer[OBJECTS] = _all_objects(answer, frame, runner.score_threshold)
    return answer


def _confidence(answer: dict, runner: Runner) -> float:
    scores = answer.get(names.SCORES, np.empty(0))
    return confidence.confidence(
        confidence.object_scores(scores, runner.class_names),
        answer[names.LOCALIZATION_MAP],
        score_threshold=runner.score_threshold or _UNKNOWN_THRESHOLD,
    )


def _refined(
    photo: np.ndarray, answer: dict, runner: Runner, refine: str
) -> dict[str, Any]:
    mask = refined_boxes.refined_mask(
        photo,
        answer[names.LOCALIZATION_MAP],
        refine=refine,
        score_threshold=refined_boxes.threshold_of(runner),
    )
    box, degenerate = masks.box_of_mask(mask)
    return {names.BOXES: box, names.DEGENERATE: degenerate, MASK: mask}


def _all_objects(
    answer: dict, frame: CropFrame, score_threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    if MASK in answer:
        return objects.boxes_of_labels(objects.label_objects(answer[MASK]))
    boxes, scores = objects.objects_from_map(
        answer[names.LOCALIZATION_MAP],
        crop_size_wh=frame.crop_size_wh,
        score_threshold=score_threshold,
    )
    return frame.crop_to_original(boxes), scores


def _load_runner(model: str, class_name: str | None, views: str) -> Runner:
    if class_name is None:
        return experiment.load_runner(model, views=views)
    if views:
        raise UserError(f"--class={class_name} and --views={views}: give one of them")
    if not (Path(model) / experiment.CONFIG_FILE).is_file():
        raise UserError("--class needs a training workdir as --model")
    loaded = experiment.load_experiment(model)
    if class_name not in loaded.class_names:
        known = ", ".join(loaded.class_names[:20])
        raise UserError(f"--class={class_name}: unknown; the model knows {known}")
    predict_fn = inference.make_given_class_fn(
        experiment.load_localizer(loaded),
        class_id=loaded.class_names.index(class_name),
        score_threshold=loaded.config.eval.score_threshold,
    )
    return Runner(
        predict_fn,
        loaded.class_names,
        tuple(loaded.config.data.crop_size),
        score_threshold=loaded.config.eval.score_threshold,
    )


def row_of(
    photo: np.ndarray,
    answer: dict,
    class_names: Sequence[str],
    min_confidence: float = FOUND_CONFIDENCE,
) -> dict:
    """What predictions.json has of a photo, its files aside.

    Width and height, class, score, box [x0, y0, x1, y1] (half-open, pixels of the
    upright photo), map peak [x, y], `degenerate`, `confidence` and `found`. With
    OBJECTS all "objects" of the class, the largest first, each with its box and score.
    Of a network that labels pixels, without views and a given class, also `classes`,
    see `found_classes`.
    """
    localization_map = answer[names.LOCALIZATION_MAP]
    class_id = int(np.argmax(answer[names.SCORES]))
    y, x = np.unravel_index(np.argmax(localization_map), localization_map.shape)
    scale = np.divide(photo.shape[:2], localization_map.shape)
    row = {
        "width": photo.shape[1],
        "height": photo.shape[0],
        "class": class_names[class_id],
        "score": float(answer[names.SCORES][class_id]),
        "box": _rounded(answer[names.BOXES]),
        "peak": [float((x + 0.5) * scale[1]), float((y + 0.5) * scale[0])],
        "degenerate": bool(answer[names.DEGENERATE]),
        "confidence": round(answer[names.CONFIDENCE], 4),
        "found": confidence.is_found(
            class_names[class_id], answer[names.CONFIDENCE], min_confidence
        ),
    }
    if OBJECTS in answer:
        row["objects"] = [
            {"box": _rounded(box), "score": round(float(score), 4)}
            for box, score in zip(*answer[OBJECTS], strict=True)
        ]
    if names.SEGMENTATION in answer:
        size_wh = photo.shape[1::-1]
        row["classes"] = found_classes(answer[names.SEGMENTATION], size_wh, class_names)
    return row


def _rounded(box: np.ndarray) -> list[float]:
    return [round(float(value), 2) for value in box]


def _file_names(paths: Sequence[Path], suffix: str) -> dict[Path, str]:
    """A name for each photo, unique also where A.png and a.png are one file."""
    found, taken = {}, set()
    for path in paths:
        name = files.unused_name(path.stem, suffix, taken)
        taken.add(name.casefold())
        found[path] = name
    return found

"""Photos in, overlay PNGs and boxes.json out, in original pixels."""

from pathlib import Path

import numpy as np

from bas_tf import experiment, files, inference, names, visualize
from bas_tf.data import decode, preprocess
from bas_tf.errors import UserError
from bas_tf.geometry.frames import CropFrame
from bas_tf.runners import Runner

BOXES_FILE = "boxes.json"


def localize_photos(
    model: str, paths: list[Path], output: Path, *, class_name: str | None
) -> list[dict]:
    """Localizes the object of each photo.

    The whole photo is resized to the network's input, nothing is cut off.

    Args:
      model: a workdir, a SavedModel folder, a .tflite or .onnx file.
      paths: photos of any size; EXIF rotation is honoured.
      output: gets one overlay PNG a photo and boxes.json.
      class_name: localize this class; None localizes what the model predicts.

    Returns:
      What boxes.json holds: for each photo its file, size, class, score, box
      [x0, y0, x1, y1] (half-open, pixels of the upright photo), map peak
      [x, y], `degenerate`.

    Raises:
      UserError: an unreadable photo, an unknown class, or --class with an exported
        file. Nothing is written then.
    """
    for path in paths:
        decode.decode_image(path)  # all are readable before anything is written
    predict_one, class_names = _predictor(model, class_name)
    rows = []
    for path, name in zip(paths, _overlay_names(paths), strict=True):
        photo = decode.decode_image(path)
        row, localization_map = _localize(photo, predict_one, class_names)
        rows.append({"image": str(path), **row})
        overlay = visualize.overlay(
            photo,
            localization_map,
            boxes=[np.asarray(row["box"])],
            label=f"{row['class']} {row['score']:.2f}",
        )
        visualize.write_png(output / name, overlay)
    files.write_json(output / BOXES_FILE, rows)
    return rows


def _predictor(model: str, class_name: str | None):
    """image -> outputs of one photo with boxes in its pixels, and the class names."""
    if class_name is None:
        runner = experiment.load_runner(model)
    else:
        runner = _given_class_runner(model, class_name)

    def predict_one(photo: np.ndarray) -> dict[str, np.ndarray]:
        original = photo.shape[1::-1]
        sent = runner.input_size_wh or original
        outputs = runner.predict_fn(preprocess.resize(photo, sent)[np.newaxis])
        frame = CropFrame(original, sent, sent)
        boxes = frame.crop_to_original(outputs[names.BOXES])
        return {key: value[0] for key, value in {**outputs, names.BOXES: boxes}.items()}

    return predict_one, runner.class_names


def _given_class_runner(model: str, class_name: str) -> Runner:
    """Maps one class, whatever the network predicts."""
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
    return Runner(predict_fn, loaded.class_names, tuple(loaded.config.data.crop_size))


def _localize(photo, predict_one, class_names):
    """A row of boxes.json and the map."""
    outputs = predict_one(photo)
    localization_map = outputs[names.LOCALIZATION_MAP]
    class_id = int(np.argmax(outputs[names.SCORES]))
    y, x = np.unravel_index(np.argmax(localization_map), localization_map.shape)
    scale = np.divide(photo.shape[:2], localization_map.shape)
    row = {
        "width": photo.shape[1],
        "height": photo.shape[0],
        "class": class_names[class_id],
        "score": float(outputs[names.SCORES][class_id]),
        "box": [round(float(v), 2) for v in outputs[names.BOXES]],
        "peak": [float((x + 0.5) * scale[1]), float((y + 0.5) * scale[0])],
        "degenerate": bool(outputs[names.DEGENERATE]),
    }
    return row, localization_map


def _overlay_names(paths: list[Path]) -> list[str]:
    """File names of the overlays; photos of one name from two folders both stay."""
    taken: list[str] = []
    for path in paths:
        taken.append(files.unused_name(path.stem, ".png", taken))
    return taken

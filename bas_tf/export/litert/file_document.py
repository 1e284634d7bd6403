"""What a TFLite file says of itself, as a JSON document."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

import bas_tf
from bas_tf import names
from bas_tf.export.litert import operators
from bas_tf.jobs import results
from bas_tf.jobs.experiment import Experiment
from bas_tf.models.localizer import Localizer
from bas_tf.runners.tflite_document import DOCUMENT_FORMAT

FIGURES = (
    "top1_acc",
    "top1_loc",
    "top5_loc",
    "gt_known_loc",
    "gt_known_loc@0.7",
    "mean_iou",
    "predicted_map_loc",
    "predicted_map_iou",
)
PIXELS = {  # of an image by its dtype: what is sent for a pixel, and its range
    "uint8": ("the pixel", [0, 255]),
    "int8": ("the pixel less 128", [-128, 127]),
    "float32": ("the pixel", [0, 255]),
}
MEANINGS = {
    names.CLASS_IDS: "classes, best first: lines of labels.txt, counted from 0",
    names.SCORES: "softmax of these classes",
    names.BOXES: "left, top, right, bottom of the object; right and bottom exclusive",
    names.DEGENERATE: "true where nothing was found: the box is the whole image",
    names.LOCALIZATION_MAP: "foreground, the mean map of the top_k best classes; a box "
    "is that of the map scaled to [0, 1] and cut at score_threshold",
    names.SEGMENTATION: "each pixel's label: 0 background, else a line of labels.txt, "
    "counted from 1",
}
MEANINGS_OF_GIVEN_CLASS = {  # of a file that takes the class next to the image
    **MEANINGS,
    names.CLASS_IDS: "the class to look for: a line of labels.txt, counted from 0",
    names.LOCALIZATION_MAP: "foreground of the given class; the box is that of the "
    "map scaled to [0, 1] and cut at score_threshold",
}


def model_document(
    loaded: Experiment,
    localizer: Localizer,
    tflite: bytes,
    *,
    steps: int,
    quantization: str,
    crops: np.ndarray | None,
    refine: str = "none",
) -> dict[str, Any]:
    """All that is known of one file, as `json` can write it.

    Args:
      tflite: the converted file, of which inputs and outputs are reported.
      steps: of the training, that are behind its weights.
      crops: the images that int8 was calibrated on; not told of other files.
      refine: what its boxes are refined by; only told of a file that refines.
    """
    config = loaded.config
    inputs, outputs = signature_tensors(tflite)
    if names.BOXES in outputs:
        outputs[names.BOXES]["frame"] = "pixels of the input image, from its upper left"
    meanings = MEANINGS_OF_GIVEN_CLASS if names.CLASS_IDS in inputs else MEANINGS
    is_int8 = quantization == "int8"
    refinement = {}
    if refine != "none":
        refinement = {"refine": refine}
        of_map = f"{meanings[names.LOCALIZATION_MAP]}, after {refine} refined the map"
        meanings = {**meanings, names.LOCALIZATION_MAP: of_map}
    return {
        "format": DOCUMENT_FORMAT,
        "name": loaded.workdir.resolve().name,
        "bas_tf": bas_tf.__version__,
        "class_names": list(loaded.class_names),
        "backbone": localizer.backbone_name,
        "signature": names.SIGNATURE,
        "inputs": {
            name: _image_document(tensor, localizer, config.data.crop_size)
            if name == names.IMAGES
            else {"meaning": meanings[name], **tensor}
            for name, tensor in inputs.items()
        },
        "outputs": {
            name: {"meaning": meanings[name], **tensor}
            for name, tensor in outputs.items()
        },
        "score_threshold": config.eval.score_threshold,
        "top_k": localizer.top_k,
        **refinement,
        "quantization": quantization,
        "calibration": calibration_document(crops) if is_int8 else None,
        "float_operators": operators.float_operators(tflite) if is_int8 else None,
        "training": {
            "config_sha256": config_sha256(config.to_dict()),
            "seed": config.train.seed,
            "steps": steps,
        },
        "figures": recorded_figures(loaded.workdir / results.METRICS_FILE),
        "license": config.export.license or "not stated",
    }


def signature_tensors(tflite: bytes) -> tuple[dict[str, dict], dict[str, dict]]:
    """Inputs and outputs, each {name: {"dtype", "shape"}} in the file's own order.

    -1 in a shape is any.
    """
    interpreter = Interpreter(model_content=tflite)
    run = interpreter.get_signature_runner(names.SIGNATURE)
    return (
        _in_order(run.get_input_details(), interpreter.get_input_details()),
        _in_order(run.get_output_details(), interpreter.get_output_details()),
    )


def _in_order(details: dict[str, dict], ordered: list[dict]) -> dict[str, dict]:
    by_tensor = {tensor["index"]: name for name, tensor in details.items()}
    return {
        by_tensor[tensor["index"]]: {
            "dtype": np.dtype(tensor["dtype"]).name,
            "shape": tensor["shape_signature"].tolist(),
        }
        for tensor in ordered
    }


def _image_document(tensor: dict, localizer: Localizer, size_wh) -> dict[str, Any]:
    value, value_range = PIXELS[tensor["dtype"]]
    width, height = size_wh
    resized = "resized and " if -1 in tensor["shape"] else ""
    scaling = localizer.backbone.trunk.get_layer("scaling")
    return {
        "meaning": f"RGB image: {value}, as decoded; it is {resized}scaled inside the "
        "graph",
        **tensor,
        "height": height,
        "width": width,
        "channels": "RGB",
        "value": value,
        "range": value_range,
        "scaling": {
            "where": "inside the graph",
            "formula": "(pixel - mean) / std",
            "mean": scaling.mean.numpy().tolist(),
            "std": scaling.std.numpy().tolist(),
        },
    }


def calibration_document(crops: np.ndarray) -> dict[str, Any]:
    """How many images, and the SHA-256 of their bytes, one after the other."""
    return {
        "count": len(crops),
        "sha256": hashlib.sha256(np.ascontiguousarray(crops)).hexdigest(),
    }


def config_sha256(config: dict) -> str:
    """Of the config of a workdir's config.json: keys sorted, no white space."""
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def recorded_figures(path: Path) -> dict[str, Any] | None:
    """What a workdir's metrics.json has of the trained network, None without one.

    The model card, which is written before, has refused one that cannot be read.
    """
    if not path.is_file():
        return None
    evaluated = json.loads(path.read_text(encoding="utf-8"))
    settings = results.settings_of(evaluated)
    metrics = evaluated["metrics"]
    figures = {key: metrics[key] for key in FIGURES if key in metrics}
    return {"of": "the trained network before its conversion", **settings, **figures}

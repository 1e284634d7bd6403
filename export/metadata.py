"""What a TFLite file says of itself: a document for people and programs.

It is in the file twice: as the metadata that TensorFlow Lite's own tools read, and in
full as `bas_tf.json` in a zip archive behind the model, with `labels.txt`.
"""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

import bas_tf
from bas_tf import names, results
from bas_tf.errors import UserError
from bas_tf.experiment import Experiment
from bas_tf.models.localizer import Localizer
from bas_tf.tflite_document import DOCUMENT_FILE, DOCUMENT_FORMAT
from export import metadata_tables, operators

ENTRY = "TFLITE_METADATA"  # the name that the standard tools look for
NOT_STATED = "not stated"
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
FRAMES = {names.BOXES: {"frame": "pixels of the input image, from its upper left"}}
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
}
MEANINGS_OF_GIVEN_CLASS = {  # of a file that takes the class beside the image
    **MEANINGS,
    names.CLASS_IDS: "the class to look for: a line of labels.txt, counted from 0",
    names.LOCALIZATION_MAP: "foreground of the given class; the box is that of the "
    "map scaled to [0, 1] and cut at score_threshold",
}
_DTYPES = {
    value: name.lower()
    for name, value in vars(schema.TensorType).items()
    if name.isupper()
}
_TIME = (1980, 1, 1, 0, 0, 0)  # of the archive's files: the same in every export


def model_document(
    loaded: Experiment,
    localizer: Localizer,
    tflite: bytes,
    *,
    steps: int,
    quantization: str,
    crops: np.ndarray | None,
) -> dict[str, Any]:
    """All that is told of one file, as `json` can write it.

    Args:
      loaded: the workdir.
      localizer: the trained localizer.
      tflite: the converted file, of which inputs and outputs are told.
      steps: of the training, that are behind its weights.
      quantization: of `tflite.QUANTIZATIONS`.
      crops: the images that int8 was calibrated on; not told of other files.
    """
    config = loaded.config
    inputs, outputs = signature_tensors(tflite)
    is_given = names.CLASS_IDS in inputs
    meanings = MEANINGS_OF_GIVEN_CLASS if is_given else MEANINGS
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
            name: {"meaning": meanings[name], **tensor, **FRAMES.get(name, {})}
            for name, tensor in outputs.items()
        },
        "score_threshold": config.eval.score_threshold,
        "top_k": localizer.top_k,
        "quantization": quantization,
        "calibration": calibration_document(crops) if quantization == "int8" else None,
        "float_operators": (
            operators.float_operators(tflite) if quantization == "int8" else None
        ),
        "training": {
            "config_sha256": config_sha256(config.to_dict()),
            "seed": config.train.seed,
            "steps": steps,
        },
        "figures": judged_figures(loaded.workdir / results.METRICS_FILE),
        "license": config.export.get("license") or NOT_STATED,
    }


def signature_tensors(tflite: bytes) -> tuple[dict[str, dict], dict[str, dict]]:
    """Inputs and outputs, each {name: {"dtype", "shape"}} in the file's own order.

    -1 in a shape is any.
    """
    model = schema.Model.GetRootAs(tflite)
    signature = model.SignatureDefs(0)
    graph = model.Subgraphs(signature.SubgraphIndex())

    def told(count: int, item_at, order) -> dict[str, dict]:
        items = [item_at(i) for i in range(count)]
        by_tensor = {item.TensorIndex(): item.Name().decode() for item in items}
        tensors = {by_tensor[i]: graph.Tensors(i) for i in order}
        return {
            name: {
                "dtype": _DTYPES[tensor.Type()],
                "shape": (
                    tensor.ShapeAsNumpy()
                    if tensor.ShapeSignatureIsNone()
                    else tensor.ShapeSignatureAsNumpy()
                ).tolist(),
            }
            for name, tensor in tensors.items()
        }

    return (
        told(signature.InputsLength(), signature.Inputs, graph.InputsAsNumpy()),
        told(signature.OutputsLength(), signature.Outputs, graph.OutputsAsNumpy()),
    )


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


def judged_figures(path: Path) -> dict[str, Any] | None:
    """What a workdir's metrics.json has of the trained network, None without one.

    Raises:
      UserError: it cannot be read.
    """
    if not path.is_file():
        return None
    try:
        judged = json.loads(path.read_text(encoding="utf-8"))
        settings = {key: judged[key] for key in results.SETTING_KEYS}
        metrics = judged["metrics"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not a metrics.json ({error}); write it again with bas_tf.evaluate"
        ) from error
    figures = {key: metrics[key] for key in FIGURES if key in metrics}
    return {"of": "the trained network before its conversion", **settings, **figures}


def with_metadata(tflite: bytes, document: dict[str, Any]) -> bytes:
    """A TFLite file -> the same with its document, labels and standard metadata.

    Weights, operators and signature stay as they are.

    Args:
      tflite: what `document` is of.
      document: from `model_document`.
    """
    encoded = metadata_tables.encode(standard_metadata(document))
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(tflite))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(encoded, np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = ENTRY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    file = io.BytesIO(flatbuffer_utils.convert_object_to_bytearray(model))
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:  # not compressed, as is the standard
        labels = "\n".join(document["class_names"]) + "\n"
        archive.writestr(zipfile.ZipInfo(names.LABELS_FILE, _TIME), labels)
        text = json.dumps(document, indent=2, allow_nan=False) + "\n"
        archive.writestr(zipfile.ZipInfo(DOCUMENT_FILE, _TIME), text)
    return file.getvalue()


def standard_metadata(document: dict[str, Any]) -> dict[str, Any]:
    """A document as TensorFlow Lite's ModelMetadata, see `metadata_tables.encode`."""
    steps = document["training"]["steps"]
    return {
        "name": document["name"],
        "description": "Names what a photo shows and draws the box around it "
        f"(Background Activation Suppression); {DOCUMENT_FILE} says all there is.",
        "version": f"bas_tf {document['bas_tf']}, {steps} training steps",
        "license": document["license"],
        "subgraph_metadata": [
            {
                "name": document["signature"],
                "input_tensor_metadata": [
                    _tensor_metadata(name, tensor)
                    for name, tensor in document["inputs"].items()
                ],
                "output_tensor_metadata": [
                    _tensor_metadata(name, tensor)
                    for name, tensor in document["outputs"].items()
                ],
            }
        ],
        "associated_files": [
            {
                "name": DOCUMENT_FILE,
                "description": "All metadata of this file",
                "type": metadata_tables.DESCRIPTIONS,
            }
        ],
    }


def _tensor_metadata(name: str, tensor: dict[str, Any]) -> dict[str, Any]:
    more = {
        names.IMAGES: _of_image,
        names.CLASS_IDS: _of_class_ids,
        names.SCORES: _of_scores,
        names.BOXES: _of_boxes,
        names.LOCALIZATION_MAP: _of_map,
    }.get(name, _of_feature)(tensor)
    told = [tensor[key] for key in ("meaning", "frame") if key in tensor]
    return {"name": name, "description": "; ".join(told), **more}


def _of_image(tensor: dict) -> dict[str, Any]:
    low, high = map(float, tensor["range"])
    size = {"width": tensor["width"], "height": tensor["height"]}
    image = {"color_space": metadata_tables.RGB, "default_size": size}
    identity = {"mean": [0.0], "std": [1.0]}  # nothing to do outside the graph
    return {
        "content": {"content_properties": ("ImageProperties", image)},
        "process_units": [{"options": ("NormalizationOptions", identity)}],
        "stats": {"max": [high], "min": [low]},
    }


def _of_feature(tensor: dict) -> dict[str, Any]:
    return {"content": {"content_properties": ("FeatureProperties", {})}}


def _of_map(tensor: dict) -> dict[str, Any]:
    return {**_of_feature(tensor), "stats": {"max": [1.0], "min": [0.0]}}


def _of_scores(tensor: dict) -> dict[str, Any]:
    return {**_of_list(tensor), "stats": {"max": [1.0], "min": [0.0]}}


def _of_class_ids(tensor: dict) -> dict[str, Any]:
    labels = {
        "name": names.LABELS_FILE,
        "description": "Class names, one a line",
        "type": metadata_tables.TENSOR_VALUE_LABELS,
    }
    return {**_of_list(tensor), "associated_files": [labels]}


def _of_list(tensor: dict) -> dict[str, Any]:
    """Each element is a thing by itself: the range is the last dimension."""
    last = len(tensor["shape"])
    content = _of_feature(tensor)["content"]
    return {"content": {**content, "range": {"min": last, "max": last}}}


def _of_boxes(tensor: dict) -> dict[str, Any]:
    box = {
        "index": [0, 1, 2, 3],
        "type": metadata_tables.BOUNDARIES,
        "coordinate_type": metadata_tables.PIXEL,
    }
    return {"content": {"content_properties": ("BoundingBoxProperties", box)}}

"""What a TFLite file says of itself: a document for people and programs.

It is in the file twice: as the metadata that TensorFlow Lite's own tools read, and in
full as `bas_tf.json` in a zip archive behind the model, with `labels.txt`.
"""

import io
import json
import zipfile
from typing import Any

import numpy as np
from tensorflow.lite.tools import flatbuffer_utils

from bas_tf import names
from bas_tf.export.litert import chain, metadata_tables
from bas_tf.runners.tflite_document import DOCUMENT_FILE

ENTRY = "TFLITE_METADATA"  # the name that the standard tools look for
_LABELS = {
    "name": names.LABELS_FILE,
    "description": "Class names, one a line",
    "type": metadata_tables.TENSOR_VALUE_LABELS,
}
_BOX = {
    "index": [0, 1, 2, 3],
    "type": metadata_tables.BOUNDARIES,
    "coordinate_type": metadata_tables.PIXEL,
}
_TIME = (1980, 1, 1, 0, 0, 0)  # of the archive's files: the same in every export


def with_metadata(tflite: bytes, document: dict[str, Any]) -> bytes:
    """A TFLite file -> the same with its document, labels and standard metadata.

    Weights, operators and signature stay as they are; `document` is the file's
    `file_document.model_document`.
    """
    encoded = metadata_tables.encode(standard_metadata(document))
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(tflite))
    chain.add_metadata(model, ENTRY, np.frombuffer(encoded, np.uint8))
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
    content, more = ("FeatureProperties", {}), {}
    if name in (names.SCORES, names.LOCALIZATION_MAP):
        more["stats"] = {"max": [1.0], "min": [0.0]}
    if name == names.CLASS_IDS:
        more["associated_files"] = [_LABELS]
    if name == names.BOXES:
        content = ("BoundingBoxProperties", _BOX)
    if name == names.IMAGES:
        low, high = map(float, tensor["range"])
        size = {"width": tensor["width"], "height": tensor["height"]}
        image = {"color_space": metadata_tables.RGB, "default_size": size}
        content = ("ImageProperties", image)
        identity = {"mean": [0.0], "std": [1.0]}  # nothing to do outside the graph
        more["process_units"] = [{"options": ("NormalizationOptions", identity)}]
        more["stats"] = {"max": [high], "min": [low]}
    more["content"] = {"content_properties": content}
    if name in (names.CLASS_IDS, names.SCORES):  # each element is a thing by itself
        last = len(tensor["shape"])
        more["content"]["range"] = {"min": last, "max": last}
    told = [tensor[key] for key in ("meaning", "frame") if key in tensor]
    return {"name": name, "description": "; ".join(told), **more}

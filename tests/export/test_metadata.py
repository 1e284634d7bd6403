"""What TFLite files say of themselves, to the standard tools and to people."""

import copy
import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from bas_tf import names
from bas_tf.export.litert import (
    calibration,
    file_document,
    metadata,
    metadata_tables,
)
from bas_tf.jobs import experiment
from bas_tf.runners import tflite_document

RECORDED = Path(__file__).parent.parent / "fixtures" / "tflite_metadata.json"


def test_the_flatbuffer_is_the_one_that_the_standard_reader_has_read():
    """What it made of that is recorded next to it, as "read_by_tflite_support"."""
    recorded = json.loads(RECORDED.read_text())
    encoded = metadata_tables.encode(metadata.standard_metadata(recorded["document"]))
    assert encoded.hex() == recorded["flatbuffer"]


def test_a_field_that_the_schema_has_not_is_refused():
    with pytest.raises(KeyError, match="ModelMetadata has no field 'licence'"):
        metadata_tables.encode({"licence": "Apache-2.0"})


def test_figures_are_those_of_metrics_json(tmp_path):
    path = tmp_path / "metrics.json"
    assert file_document.recorded_figures(path) is None
    settings = {
        "protocol": "bas", "split": "val", "num_images": 7, "score_threshold": 0.4,
        "threshold_origin": "fixed", "views": "64,flip",
    }  # fmt: skip
    figures = {"top1_acc": 0.75, "gt_known_loc": 0.5}
    metrics = figures | {"cam/mean_iou": 0.25}
    path.write_text(json.dumps({**settings, "metrics": metrics}))
    found = file_document.recorded_figures(path)
    assert "before its conversion" in found.pop("of")
    assert found == settings | figures


def test_the_hash_of_a_config_is_of_its_keys_in_order():
    expected = hashlib.sha256(b'{"a":{"c":[3],"d":""},"b":1}').hexdigest()
    assert file_document.config_sha256({"b": 1, "a": {"d": "", "c": [3]}}) == expected
    assert file_document.config_sha256({"a": {"c": (3,), "d": ""}, "b": 1}) == expected


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_the_document_is_in_the_file_and_next_to_it(
    localizer_files, demo_workdir, quantization
):
    path = localizer_files[quantization]
    document = json.loads(path.with_name(f"{path.name}.json").read_text())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["labels.txt", "bas_tf.json"]
        stored = {item.compress_type for item in archive.infolist()}
        assert stored == {zipfile.ZIP_STORED}  # the phone's reader maps it
        assert json.loads(archive.read("bas_tf.json")) == document
        labels = archive.read("labels.txt").decode().splitlines()
    assert labels == document["class_names"]
    assert tflite_document.read_tflite_document(path) == document

    config = json.loads((demo_workdir / "config.json").read_text())
    assert document["class_names"] == config["class_names"]
    canonical = json.dumps(config["config"], sort_keys=True, separators=(",", ":"))
    assert document["training"] == {
        "config_sha256": hashlib.sha256(canonical.encode()).hexdigest(),
        "seed": 0,
        "steps": 12,  # 2 epochs of 96 drawings in batches of 16
    }
    assert document["quantization"] == quantization
    assert document["score_threshold"] == 0.8 and document["top_k"] == 1
    assert document["backbone"] == "mobilenet_v1"
    assert document["license"] == "not stated"
    evaluated = json.loads((demo_workdir / "metrics.json").read_text())
    figures = document["figures"]
    assert (figures["protocol"], figures["split"]) == ("bas", "test")
    assert figures["mean_iou"] == evaluated["metrics"]["mean_iou"] > 0
    assert figures["top1_loc"] == evaluated["metrics"]["top1_loc"]


@pytest.mark.slow
def test_inputs_and_outputs_are_those_of_the_file(localizer_files):
    document = tflite_document.read_tflite_document(localizer_files["int8"])
    assert list(document["inputs"]) == [names.IMAGES]
    image = document["inputs"][names.IMAGES]
    assert (image["dtype"], image["shape"]) == ("uint8", [1, 64, 64, 3])
    assert (image["height"], image["width"]) == (64, 64)
    assert (image["channels"], image["range"]) == ("RGB", [0, 255])
    assert image["scaling"]["where"] == "inside the graph"
    np.testing.assert_allclose(image["scaling"]["mean"], [123.675, 116.28, 103.53])
    np.testing.assert_allclose(image["scaling"]["std"], [58.395, 57.12, 57.375])
    found = {k: (v["dtype"], v["shape"]) for k, v in document["outputs"].items()}
    assert found == {
        names.CLASS_IDS: ("int32", [1, 5]),
        names.SCORES: ("float32", [1, 5]),
        names.BOXES: ("float32", [1, 4]),
        names.DEGENERATE: ("bool", [1]),
        names.LOCALIZATION_MAP: ("float32", [1, 8, 8, 1]),
    }


@pytest.mark.slow
def test_calibration_and_float_operators_are_told_of_int8_alone(
    localizer_files, demo_workdir
):
    """What follows the layers is in float32: scores, the map's nine taps, the box."""
    floating, rounded = (
        tflite_document.read_tflite_document(localizer_files[quantization])
        for quantization in ("none", "int8")
    )
    assert floating["calibration"] is None and floating["float_operators"] is None
    crops = calibration.crops_of(experiment.load_experiment(demo_workdir))
    digest = hashlib.sha256(b"".join(crop.tobytes() for crop in crops)).hexdigest()
    assert rounded["calibration"] == {"count": 16, "sha256": digest}
    found = rounded["float_operators"]
    once = ("BATCH_MATMUL", "ADD_N", "LOGISTIC", "SOFTMAX", "RESIZE_BILINEAR")
    assert {kind: found[kind] for kind in once} == dict.fromkeys(once, 1)
    assert not {"CONV_2D", "DEPTHWISE_CONV_2D", "QUANTIZE", "DEQUANTIZE"} & set(found)


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_the_standard_entry_is_of_the_files_own_outputs(localizer_files, quantization):
    content = localizer_files[quantization].read_bytes()
    model = schema.Model.GetRootAs(content)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    assert [entry.Name() for entry in entries] == [
        b"min_runtime_version",
        b"TFLITE_METADATA",
    ]
    document = tflite_document.read_tflite_document(localizer_files[quantization])
    encoded = model.Buffers(entries[-1].Buffer()).DataAsNumpy().tobytes()
    standard = metadata.standard_metadata(document)
    assert encoded == metadata_tables.encode(standard)

    # The reader goes by position: each name stands where the signature has it.
    signature, graph = model.SignatureDefs(0), model.Subgraphs(0)
    tensor_of = {
        signature.Outputs(i).Name().decode(): signature.Outputs(i).TensorIndex()
        for i in range(signature.OutputsLength())
    }
    told = standard["subgraph_metadata"][0]["output_tensor_metadata"]
    assert [tensor_of[t["name"]] for t in told] == graph.OutputsAsNumpy().tolist()


@pytest.mark.slow
def test_the_license_is_the_configs(localizer_files, demo_workdir):
    loaded = experiment.load_experiment(demo_workdir)
    localizer, tflite = loaded.trained[0], localizer_files["none"].read_bytes()

    def license_of(config) -> str:
        document = file_document.model_document(
            dataclasses.replace(loaded, config=config), localizer, tflite,
            steps=12, quantization="none", crops=None,
        )  # fmt: skip
        return document["license"]

    config = copy.deepcopy(loaded.config)
    assert license_of(config) == "not stated"
    config.export.license = "CC-BY-4.0"
    assert license_of(config) == "CC-BY-4.0"


@pytest.mark.slow
def test_a_file_that_takes_the_class_too(given_class_files):
    document = tflite_document.read_tflite_document(given_class_files["int8"])
    assert document["inputs"][names.CLASS_IDS] == {
        "meaning": "the class to look for: a line of labels.txt, counted from 0",
        "dtype": "int32",
        "shape": [1],
    }
    told = document["outputs"][names.LOCALIZATION_MAP]["meaning"]
    assert told.startswith("foreground of the given class")
    graph = metadata.standard_metadata(document)["subgraph_metadata"][0]
    assert [tensor["name"] for tensor in graph["input_tensor_metadata"]] == list(
        document["inputs"]
    )

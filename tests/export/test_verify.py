"""The evaluator over exported files: which there are, how far off, what is too far."""

import json
import shutil
import types

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.export.evaluation import timing, verification
from bas_tf.jobs import experiment, resuming
from tests.commands import exit_code_in_process


def test_artifacts_are_found_by_their_names(tmp_path):
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "saved_model.pb").write_bytes(b"12345")
    (tmp_path / "saved_model" / "assets").mkdir()
    (tmp_path / "saved_model" / "assets" / "labels.txt").write_bytes(b"12")
    (tmp_path / "localizer_int8.tflite").write_bytes(b"123")
    (tmp_path / "given_class_int8.tflite").write_bytes(b"123456")
    (tmp_path / "localizer.onnx").write_bytes(b"1234")
    (tmp_path / "other.tflite").write_bytes(b"1")
    found = verification.find_artifacts(tmp_path)
    assert found == {
        "saved_model": tmp_path / "saved_model",
        "tflite_int8": tmp_path / "localizer_int8.tflite",
        "given_class_int8": tmp_path / "given_class_int8.tflite",
        "onnx": tmp_path / "localizer.onnx",
    }
    assert {name: verification.size_of(path) for name, path in found.items()} == {
        "saved_model": 5 + 2,
        "tflite_int8": 3,
        "given_class_int8": 6,
        "onnx": 4,
    }


def test_a_folder_without_artifacts_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "lost"):
        with pytest.raises(UserError, match=f"--artifacts={folder}: no saved_model/"):
            verification.find_artifacts(folder)


def test_maps_that_are_no_numbers_are_alike_or_as_far_apart_as_can_be():
    expected = np.array([0.25, np.nan, np.nan, 0.5], np.float32)
    actual = np.array([0.5, np.nan, 0.5, np.nan], np.float32)
    differences = [0.25, 0, 1, 1]
    np.testing.assert_array_equal(
        verification._map_differences(expected, actual), differences
    )


@pytest.mark.slow
def test_every_file_says_what_its_boxes_are_cut_at(demo_workdir):
    configured = experiment.load_experiment(demo_workdir).config.eval.score_threshold
    found = verification.find_artifacts(demo_workdir / "export")
    assert len(found) == 4
    for name, path in found.items():
        runner = experiment.load_runner(path)
        assert runner.score_threshold == configured, name


def test_agreement_by_hand():
    """The second box covers 2 x 4 of 4 x 4 pixels: IoU 8 / 16; one class of two."""

    def predictions(second_box, second_class: int, value: float):
        return types.SimpleNamespace(
            classifies=True,
            predicted=None,
            boxes=np.array([[0, 0, 8, 8], second_box], np.float32),
            first_class_ids=np.array([1, second_class]),
            maps=np.full([2, 2, 2], value, np.float32),
        )

    expected = predictions([0, 0, 4, 4], 0, 0.0)
    assert verification.agreement(expected, predictions([0, 0, 2, 4], 1, 0.25)) == {
        "max_box_difference": 2.0,
        "mean_iou_with_keras": pytest.approx((1 + 8 / 16) / 2),
        "class_agreement": 0.5,
        "max_map_difference": 0.25,
    }


def test_a_file_that_lost_too_much_is_named_with_its_loss():
    keras = {"name": "keras", "gt_known_loc": 0.90, "top1_loc": 0.80}
    rows = [
        {"name": "tflite_float32", "gt_known_loc": 0.91, "top1_loc": 0.80},
        {"name": "tflite_float16", "gt_known_loc": 0.89, "top1_loc": 0.75},
        {"name": "tflite_int8", "gt_known_loc": 0.85, "top1_loc": 0.80},
    ]
    assert verification.lost_too_much(rows, keras, 0.02) == [
        "tflite_float16 lost 0.050 of top1_loc, more than --max_drop=0.02",
        "tflite_int8 lost 0.050 of gt_known_loc, more than --max_drop=0.02",
    ]
    assert not verification.lost_too_much(rows, keras, 0.051)
    without_class = [{"name": "onnx", "predicted_map_loc": 0.85, "top1_loc": 0.80}]
    assert not verification.lost_too_much(without_class, keras, 0.0)
    assert verification.lost_too_much(
        without_class, {**keras, "predicted_map_loc": 0.9}, 0
    )
    unboxed = {"gt_known_loc": None, "top1_loc": None}
    assert not verification.lost_too_much([{"name": "onnx", **unboxed}], unboxed, 0.0)


@pytest.mark.slow
def test_the_command_repeats_the_demos_rows(
    demo_workdir, tmp_path, monkeypatch, capsys
):
    """Where the workdir was evaluated by ten crops in half precision and by views."""
    monkeypatch.setattr(timing, "ROUNDS", 1)
    output, workdir = tmp_path / "report.json", tmp_path / "run"
    shutil.copytree(demo_workdir, workdir, ignore=shutil.ignore_patterns("export"))
    loaded = experiment.load_experiment(workdir)
    loaded.config.eval.ten_crop, loaded.config.eval.views = True, "64,96,flip"
    loaded.config.eval.ten_crop_precision = "mixed_bfloat16"
    resuming.write_experiment(workdir, loaded.config, loaded.class_names)
    command = (
        "export.verify", f"--workdir={workdir}", f"--output={output}",
        f"--artifacts={demo_workdir / 'export'}",
    )  # fmt: skip
    assert exit_code_in_process(monkeypatch, *command, "--max_drop=1") == 0
    capsys.readouterr()
    document = json.loads(output.read_text())
    assert (document["protocol"], document["split"]) == ("bas", "test")
    summary = json.loads((demo_workdir / "summary.json").read_text())
    rows = {row["name"]: row for row in document["rows"]}
    for expected in summary["rows"]:
        assert rows[expected["name"]]["gt_known_loc"] == expected["gt_known_loc"]
        assert rows[expected["name"]]["size_bytes"] == expected["size_bytes"]
    assert rows["saved_model"]["max_box_difference"] <= 1
    # A SavedModel takes the label, an ONNX file does not.
    for name in ("saved_model", "onnx"):
        for key in ("predicted_map_loc", "predicted_map_iou", "top1_loc"):
            assert rows[name][key] == pytest.approx(rows["keras"][key], abs=1 / 32)
    for key in ("gt_known_loc", "mean_iou", "top5_loc"):
        of_label = rows["saved_model"][key]
        assert of_label == pytest.approx(rows["keras"][key], abs=1 / 32)
        assert rows["onnx"][key] is None
    assert rows["tflite_float32"]["class_agreement"] == 1
    for name in ("saved_model", "tflite_float32", "tflite_int8", "onnx"):
        assert 0 < rows[name]["p50_ms"] <= rows[name]["p95_ms"]
        assert rows[name]["peak_memory_bytes"] > 10 * 2**20
    assert rows["onnx"]["max_map_difference"] <= 1e-4


@pytest.mark.slow
def test_the_demo_evaluates_by_the_centre_crop(demo_workdir):
    """Though it was called with --config.eval.ten_crop=True."""
    assert experiment.load_experiment(demo_workdir).config.eval.ten_crop is False
    document = json.loads((demo_workdir / "metrics.json").read_text())
    assert "ten_crop_precision" not in document

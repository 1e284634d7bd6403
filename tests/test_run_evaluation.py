"""One judge: where the threshold came from, which model, with boxes and without."""

import json
import re

import numpy as np
import pytest

from bas_tf import experiment, files, inference, run_evaluation
from bas_tf.errors import UserError
from bas_tf.evaluators import sweeps
from bas_tf.models.localizer import build_localizer
from bas_tf.runners import Runner
from configs import demo
from tests.commands import exit_code_in_process

config_file_warning = pytest.mark.filterwarnings(
    "ignore:the load_module:DeprecationWarning"
)


def demo_config(**eval_options):
    config = demo.get_config("quicktest")
    config.eval.update(eval_options)
    return config


@pytest.fixture(scope="module")
def judged_by_origin(demo_workdir) -> dict:
    return {
        origin: run_evaluation.judge_model(
            str(demo_workdir), demo_config(threshold_origin=origin), split="test"
        )
        for origin in ("fixed", "val-optimal", "oracle")
    }


@pytest.mark.slow
def test_every_threshold_says_where_it_came_from(judged_by_origin):
    documents = {key: judged.document for key, judged in judged_by_origin.items()}
    assert {key: d["threshold_origin"] for key, d in documents.items()} == {
        "fixed": "fixed", "val-optimal": "val-optimal", "oracle": "oracle",
    }  # fmt: skip
    configured = demo_config().eval.score_threshold
    assert documents["fixed"]["score_threshold"] == configured
    for origin in ("val-optimal", "oracle"):
        assert documents[origin]["score_threshold"] in sweeps.SCORE_THRESHOLDS
    best = documents["oracle"]["metrics"]["gt_known_loc"]
    assert best >= documents["val-optimal"]["metrics"]["gt_known_loc"]


@pytest.mark.slow
def test_the_val_optimal_threshold_is_vals_oracle_threshold(
    judged_by_origin, demo_workdir
):
    on_val = run_evaluation.judge_model(
        str(demo_workdir), demo_config(threshold_origin="oracle"), split="val"
    )
    expected = on_val.document["score_threshold"]
    assert judged_by_origin["val-optimal"].document["score_threshold"] == expected


@pytest.mark.slow
def test_the_origin_changes_no_class_figure(judged_by_origin):
    accuracies = {
        judged.document["metrics"]["top1_acc"] for judged in judged_by_origin.values()
    }
    assert len(accuracies) == 1


@pytest.mark.slow
def test_ten_crops_change_class_figures_only(judged_by_origin, demo_workdir):
    judged = run_evaluation.judge_model(
        str(demo_workdir), demo_config(ten_crop=True), split="test"
    )
    before, after = judged_by_origin["fixed"].document, judged.document
    for key in ("gt_known_loc", "mean_iou", "num_degenerate"):
        assert after["metrics"][key] == before["metrics"][key]
    runner = experiment.load_runner(demo_workdir)
    scores = inference.ten_crop_scores(runner.predict_fn, judged.images, (64, 64))
    hits = scores.argmax(axis=1) == judged.predictions.labels
    assert after["metrics"]["top1_acc"] == pytest.approx(hits.mean())


@pytest.mark.slow
@config_file_warning
@pytest.mark.parametrize(
    "name, file",
    [
        ("keras", "."),
        ("saved_model", "export/saved_model"),
        ("tflite_float32", "export/localizer_float32.tflite"),
        ("tflite_int8", "export/localizer_int8.tflite"),
    ],
)
def test_evaluating_a_file_gives_the_demos_row(
    name, file, demo_workdir, tmp_path, monkeypatch, capsys
):
    output = tmp_path / "metrics.json"
    code = exit_code_in_process(
        monkeypatch, "bas_tf.evaluate", f"--model={demo_workdir / file}",
        "--config=configs/demo.py:quicktest", "--split=test", f"--output={output}",
    )  # fmt: skip
    out, err = capsys.readouterr()
    assert code == 0, err
    threshold = demo_config().eval.score_threshold
    told = (
        f"protocol bas, split test, 32 images, score threshold {threshold:.2f} (fixed)"
    )
    assert told in out
    document = json.loads(output.read_text())
    rows = json.loads((demo_workdir / "summary.json").read_text())["rows"]
    (row,) = [row for row in rows if row["name"] == name]
    for key in ("gt_known_loc", "top1_loc", "top5_loc", "mean_iou", "gt_known_loc@0.7"):
        assert document["metrics"][key] == pytest.approx(row[key], abs=1e-9)
    assert document["config"] == "configs/demo.py:quicktest"
    assert document["seed"] == (0 if name == "keras" else None)
    assert ("cam/mean_iou" in document["metrics"]) == (name == "keras")


@pytest.mark.slow
def test_the_demos_page_needs_no_other_file(demo_workdir):
    page = (demo_workdir / "report.html").read_text()
    targets = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", page)
    assert targets  # pictures are embedded
    assert all(target.startswith(("data:", "#")) for target in targets)
    assert not re.search(r"url\((?!['\"]?(data:|#))", page)
    assert "@import" not in page


@pytest.fixture
def fresh_runner() -> Runner:
    """An untrained model for cats and dogs."""
    localizer = build_localizer(
        backbone="mobilenet_v1",
        num_classes=2,
        input_size_wh=(64, 64),
        classifier={"variant": "linear"},
        backbone_options={"width": 0.125},
    )
    predict_fn = inference.make_predict_fn(localizer, score_threshold=0.45)
    return Runner(predict_fn, ("cat", "dog"), (64, 64))


def folder_judge(root, **eval_options):
    config = demo_config(**eval_options)
    config.data.source, config.data.root = "folder", str(root)
    return run_evaluation.Judge(config, split="val", class_names=("cat", "dog"))


def test_images_without_boxes_get_class_figures_only(
    photo_folder, fresh_runner, tmp_path
):
    (photo_folder / "boxes.csv").unlink()
    judged = folder_judge(photo_folder).judge(fresh_runner, model="fresh")
    metrics = judged.document["metrics"]
    assert metrics["num_images"] == metrics["num_images_without_boxes"] == 4
    assert 0 <= metrics["top1_acc"] <= 1
    assert not [name for name in metrics if "loc" in name or "iou" in name]
    row = run_evaluation.table_row("keras", metrics)
    assert row["gt_known_loc"] is None
    assert run_evaluation.baseline_rows(judged) == []
    run_evaluation.write_results(judged, tmp_path, [row])
    assert {path.name for path in tmp_path.glob("*.*")} >= {
        "metrics.json", "report.html", "panels.png",
    }  # fmt: skip
    assert "split val, 4 images" in run_evaluation.describe(judged)


@pytest.mark.parametrize("origin", ["val-optimal", "oracle"])
def test_no_threshold_can_be_chosen_without_boxes(photo_folder, fresh_runner, origin):
    (photo_folder / "boxes.csv").unlink()
    with pytest.raises(UserError, match="keep the fixed threshold"):
        folder_judge(photo_folder, threshold_origin=origin).judge(
            fresh_runner, model="fresh"
        )


def test_some_images_without_boxes_are_left_out_of_the_localization(
    photo_folder, fresh_runner
):
    lines = (photo_folder / "boxes.csv").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("val/dog")]
    (photo_folder / "boxes.csv").write_text("\n".join(kept) + "\n")
    judged = folder_judge(photo_folder).judge(fresh_runner, model="fresh")
    metrics = judged.document["metrics"]
    assert (metrics["num_images"], metrics["num_images_without_boxes"]) == (4, 2)
    assert np.isnan(run_evaluation._ious(judged)).tolist() == [False] * 2 + [True] * 2


def test_a_model_for_other_classes_or_another_size_is_refused(
    photo_folder, fresh_runner
):
    judge = folder_judge(photo_folder)
    other = Runner(fresh_runner.predict_fn, ("dog", "cat"), (64, 64))
    with pytest.raises(
        UserError, match=r"classes \('dog', 'cat'\)… are not the data's"
    ):
        judge.judge(other, model="other")
    larger = Runner(fresh_runner.predict_fn, ("cat", "dog"), (96, 96))
    with pytest.raises(
        UserError, match=r"data.crop_size is \(64, 64\), but the model "
    ):
        judge.judge(larger, model="larger")


def test_an_unreadable_photo_is_named(photo_folder, fresh_runner):
    photo = photo_folder / "val" / "dog" / "1.jpg"
    photo.write_bytes(photo.read_bytes()[:600])
    with pytest.raises(UserError, match=f"{photo}: not a readable image"):
        folder_judge(photo_folder).judge(fresh_runner, model="fresh")


def test_metrics_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "metrics.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]

"""One evaluator: where the threshold came from, which model, with boxes and without."""

import csv
import dataclasses
import json
import re

import numpy as np
import pytest
from PIL import Image

from bas_tf import inference, names
from bas_tf.configs import demo
from bas_tf.data import preprocess
from bas_tf.errors import UserError
from bas_tf.evaluators import sweeps
from bas_tf.geometry import objects
from bas_tf.jobs import evaluation, experiment, results
from bas_tf.metrics.detection import box_counts
from bas_tf.report import table
from bas_tf.runners import Runner
from tests.training.narrow import narrow_localizer


def demo_config(**eval_options):
    config = demo.get_config("quicktest")
    config.eval.update(eval_options)
    return config


@pytest.fixture(scope="module")
def evaluated_by_origin(demo_workdir) -> dict:
    return {
        origin: evaluation.evaluate_model(
            str(demo_workdir), demo_config(threshold_origin=origin), split="test"
        )
        for origin in ("fixed", "val-optimal", "oracle")
    }


@pytest.mark.slow
def test_every_threshold_says_where_it_came_from(evaluated_by_origin):
    documents = {
        key: evaluated.document for key, evaluated in evaluated_by_origin.items()
    }
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
def test_the_origin_changes_no_class_figure(evaluated_by_origin):
    accuracies = {
        evaluated.document["metrics"]["top1_acc"]
        for evaluated in evaluated_by_origin.values()
    }
    assert len(accuracies) == 1


@pytest.mark.slow
@pytest.mark.parametrize("origin", ["fixed", "val-optimal", "oracle"])
def test_kinds_of_errors_are_of_the_evaluated_boxes(evaluated_by_origin, origin):
    evaluated = evaluated_by_origin[origin]
    kinds, metrics = results._kinds(evaluated), evaluated.document["metrics"]
    assert (kinds == "correct").mean() == metrics["top1_loc"]
    right = np.isin(kinds.astype(str), ["correct", "wrong_class"])
    assert right.mean() == metrics["gt_known_loc"]


@pytest.fixture(scope="module")
def ten_cropped(demo_workdir) -> dict:
    return {
        precision: evaluation.evaluate_model(
            str(demo_workdir),
            demo_config(ten_crop=True, ten_crop_precision=precision),
            split="test",
        )
        for precision in ("float32", "mixed_bfloat16")
    }


@pytest.mark.slow
def test_ten_crops_change_class_figures_only(
    evaluated_by_origin, ten_cropped, demo_workdir
):
    evaluated = ten_cropped["float32"]
    before, after = evaluated_by_origin["fixed"].document, evaluated.document
    for key in ("gt_known_loc", "mean_iou", "num_degenerate"):
        assert after["metrics"][key] == before["metrics"][key]
    scores = plain_ten_crops(experiment.load_runner(demo_workdir), evaluated.images)
    hits = scores.argmax(axis=1) == evaluated.predictions.labels
    assert after["metrics"]["top1_acc"] == pytest.approx(hits.mean())


@pytest.mark.slow
def test_ten_crops_in_half_precision_change_no_box(evaluated_by_origin, ten_cropped):
    exact, half = ten_cropped["float32"], ten_cropped["mixed_bfloat16"]
    assert half.document["ten_crop_precision"] == "mixed_bfloat16"
    assert "ten_crop_precision" not in evaluated_by_origin["fixed"].document
    np.testing.assert_array_equal(half.predictions.boxes, exact.predictions.boxes)
    np.testing.assert_array_equal(half.predictions.maps, exact.predictions.maps)
    scores = [j.predictions.scores for j in (half, exact)]
    np.testing.assert_allclose(*scores, atol=0.03)
    assert not np.array_equal(*scores)


def test_a_file_or_another_runner_classifies_in_float32(photo_folder, fresh_runner):
    evaluator = folder_evaluator(
        photo_folder, ten_crop=True, ten_crop_precision="mixed_bfloat16"
    )
    expected = (
        "is 'mixed_bfloat16', but the model classifies in float32; only a workdir"
    )
    with pytest.raises(UserError, match=f"eval.ten_crop_precision {expected}"):
        evaluator.evaluate(fresh_runner, model="fresh")


def plain_ten_crops(runner: Runner, images) -> np.ndarray:
    """Mean softmax of ten crops, every one through the whole model."""
    return np.stack(
        [
            runner.predict_fn(preprocess.ten_crops(images[i], (64, 64)))[
                names.SCORES
            ].mean(axis=0)
            for i in range(len(images))
        ]
    )


@pytest.mark.slow
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
    name, file, demo_workdir, tmp_path, command
):
    output = tmp_path / "metrics.json"
    code, out, err = command(
        "bas_tf.evaluate", f"--model={demo_workdir / file}",
        "--config=configs/demo.py:quicktest", "--split=test", f"--output={output}",
    )  # fmt: skip
    assert code == 0, err
    threshold = demo_config().eval.score_threshold
    told = (
        f"protocol bas, split test, 32 images, score threshold {threshold:.2f} (fixed)"
    )
    assert told in out
    document = json.loads(output.read_text())
    rows = json.loads((demo_workdir / "summary.json").read_text())["rows"]
    (row,) = [row for row in rows if row["name"] == name]
    for key in (*table.COLUMNS, "gt_known_loc@0.7", "predicted_map_loc@0.7"):
        if key != "size_bytes":
            assert document["metrics"].get(key) == pytest.approx(row[key], abs=1e-9)
    takes_class = name in ("keras", "saved_model")
    assert ("gt_known_loc" in document["metrics"]) == takes_class
    assert document["map_class"] == ("label" if takes_class else "predicted")
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


def untrained_runner(class_names) -> Runner:
    localizer = narrow_localizer(num_classes=len(class_names))
    return Runner(
        inference.make_predict_fn(localizer, score_threshold=0.45),
        class_names,
        (64, 64),
        inference.make_scores_fn(localizer),
        label_fn=inference.make_label_fn(localizer, score_threshold=0.45),
    )


@pytest.fixture(scope="module")
def fresh_runner() -> Runner:
    """An untrained model for cats and dogs."""
    return untrained_runner(("cat", "dog"))


def folder_evaluator(
    root, *, split="val", protocol="bas", class_names=("cat", "dog"), **eval_options
):
    config = demo_config(**eval_options)
    config.data.source, config.data.root = "folder", str(root)
    return evaluation.Evaluator(
        config, split=split, class_names=class_names, protocol=protocol
    )


def write_masks(root, split="val"):
    """The bright squares of `photo_folder`, and a strip to be ignored below them."""
    for name in ("cat", "dog"):
        for i in range(2):
            mask = np.zeros([60, 80], np.uint8)
            mask[20:40, 10 + 4 * i : 30 + 4 * i] = 255
            mask[50:] = 128
            path = root / "masks" / split / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(path)


def test_images_without_boxes_get_class_figures_only(
    photo_folder, fresh_runner, tmp_path
):
    (photo_folder / "boxes.csv").unlink()
    evaluated = folder_evaluator(photo_folder).evaluate(fresh_runner, model="fresh")
    metrics = evaluated.document["metrics"]
    assert metrics["num_images"] == metrics["num_images_without_boxes"] == 4
    assert 0 <= metrics["top1_acc"] <= 1
    assert evaluated.document["data"] == {
        "data.source": "folder", "data.root": str(photo_folder),
    }  # fmt: skip
    assert not [name for name in metrics if "loc" in name or "iou" in name]
    row = results.table_row("keras", metrics)
    assert row["gt_known_loc"] is None
    assert results.baseline_rows(evaluated) == []
    results.write_results(evaluated, tmp_path, [row])
    assert {path.name for path in tmp_path.glob("*.*")} >= {
        "metrics.json", "report.html", "panels.png",
    }  # fmt: skip
    assert "split val, 4 images" in results.describe(evaluated)


def test_a_photo_and_a_workdir_whose_names_are_not_utf8(
    photo_folder, latin1_photo, latin1_name, fresh_runner, tmp_path
):
    evaluated = folder_evaluator(photo_folder).evaluate(fresh_runner, model="fresh")
    results.write_per_image(evaluated, tmp_path / "images.csv")
    lines = (tmp_path / "images.csv").read_bytes().splitlines()
    assert len(lines) == 1 + 5
    assert sum(line.startswith(b"val/cat/caf\xe9.jpg,cat,") for line in lines) == 1
    row = results.table_row("keras", evaluated.document["metrics"])
    results.write_results(evaluated, tmp_path / latin1_name, [row])
    page = (tmp_path / latin1_name / "report.html").read_text(encoding="utf-8")
    assert "<h1>bas_tf: caf?</h1>" in page


def test_a_runner_that_takes_no_class_gives_no_gt_known(photo_folder, fresh_runner):
    """Nor does one that is not asked to; both say what GT-known needs."""
    file = dataclasses.replace(fresh_runner, label_fn=None)
    documents = []
    for runner, map_class in ((file, "label"), (fresh_runner, "predicted")):
        evaluator = folder_evaluator(photo_folder, map_class=map_class)
        evaluated = evaluator.evaluate(runner, model="fresh")
        assert results.WITHOUT_LABEL in results.describe(evaluated)
        documents.append(evaluated.document)
    assert documents[0] == documents[1]
    labelled = folder_evaluator(photo_folder).evaluate(fresh_runner, model="fresh")
    assert results.WITHOUT_LABEL not in results.describe(labelled)
    metrics = documents[0]["metrics"]
    of_label = ("gt_known_loc", "top5_loc", "mean_iou", "cam/gt_known_loc")
    assert not metrics.keys() & set(of_label)
    for key in ("predicted_map_loc", "predicted_map_iou", "top1_loc"):
        assert metrics[key] == labelled.document["metrics"][key]
    assert labelled.document["metrics"].keys() >= set(of_label)


@pytest.mark.parametrize("origin", ["val-optimal", "oracle"])
def test_no_threshold_can_be_chosen_without_boxes(photo_folder, fresh_runner, origin):
    (photo_folder / "boxes.csv").unlink()
    with pytest.raises(UserError, match="keep the fixed threshold"):
        folder_evaluator(photo_folder, threshold_origin=origin).evaluate(
            fresh_runner, model="fresh"
        )


def test_some_images_without_boxes_are_left_out_of_the_localization(
    photo_folder, fresh_runner
):
    lines = (photo_folder / "boxes.csv").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("val/dog")]
    (photo_folder / "boxes.csv").write_text("\n".join(kept) + "\n")
    evaluated = folder_evaluator(photo_folder).evaluate(fresh_runner, model="fresh")
    metrics = evaluated.document["metrics"]
    assert (metrics["num_images"], metrics["num_images_without_boxes"]) == (4, 2)
    ious = evaluated.evaluation.per_image["iou"]
    assert np.isnan(ious).tolist() == [False] * 2 + [True] * 2


def test_a_model_for_other_classes_or_another_size_is_refused(
    photo_folder, fresh_runner
):
    evaluator = folder_evaluator(photo_folder)
    other = Runner(fresh_runner.predict_fn, ("dog", "cat"), (64, 64))
    with pytest.raises(
        UserError, match=r"classes \('dog', 'cat'\)… are not the data's"
    ):
        evaluator.evaluate(other, model="other")
    larger = Runner(fresh_runner.predict_fn, ("cat", "dog"), (96, 96))
    with pytest.raises(
        UserError, match=r"data.crop_size is \(64, 64\), but the model "
    ):
        evaluator.evaluate(larger, model="larger")


def test_maxboxacc_resizes_without_a_crop_and_says_every_threshold(
    photo_folder, fresh_runner, tmp_path
):
    evaluated = folder_evaluator(
        photo_folder, protocol="maxboxacc", score_threshold=0.25
    )
    evaluated = evaluated.evaluate(fresh_runner, model="fresh")
    assert evaluated.images[0].shape == (64, 64, 3)  # data.crop_size of the config
    # The first square, (10, 20, 30, 40) of 80 x 60, in 64 x 64 and cut down.
    np.testing.assert_array_equal(evaluated.truth.boxes[0], [[8, 21, 24, 42]])
    document = evaluated.document
    assert document["protocol"] == "maxboxacc"
    assert document["figures"]["gt_known_loc"]["threshold_origin"] == "fixed"
    assert document["figures"]["max_box_acc"]["threshold_origin"] == "oracle"
    for name, figure in document["figures"].items():
        assert figure["value"] == document["metrics"][name]
        assert figure["interval_95"] == document["intervals_95"][name]
    told = results.describe(evaluated)
    assert told.startswith(
        "protocol maxboxacc, split val, 4 images, score threshold 0.250 (fixed)\n"
    )
    assert "MaxBoxAccV2" in told and "CAM: MaxBoxAcc" in told
    results.write_per_image(evaluated, tmp_path / "images.csv")
    with open(tmp_path / "images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image_id"] for row in rows] == [r.image_id for r in evaluated.records]
    ious = [float(row["iou"]) for row in rows]
    assert np.mean(ious) == pytest.approx(document["metrics"]["mean_iou"], abs=1e-8)


def test_pxap_of_real_masks(photo_folder, fresh_runner):
    write_masks(photo_folder)
    evaluated = folder_evaluator(photo_folder, protocol="pxap", score_threshold=0.0)
    metrics = evaluated.evaluate(fresh_runner, model="fresh").document["metrics"]
    # 80 x 60 -> 64 x 64: the object is 16 columns (8 to 23, or 12 to 27) by 21 rows
    # (22 to 42), rows from 54 on are ignored. At threshold 0 all the others are object.
    assert metrics["pixel_iou"] == metrics["pixel_precision"] == 16 * 21 / (54 * 64)
    assert metrics["pixel_recall"] == 1.0
    assert metrics["peak_pixel_iou"] >= metrics["pixel_iou"]
    assert (metrics["num_images"], metrics["num_images_without_masks"]) == (4, 0)


def test_pxap_without_masks_names_the_split(photo_folder, fresh_runner):
    with pytest.raises(
        UserError,
        match="--protocol=pxap needs true masks, and none of the 4 images of split "
        "'val' has one",
    ):
        folder_evaluator(photo_folder, protocol="pxap").evaluate(
            fresh_runner, model="fresh"
        )


@pytest.mark.parametrize("is_file", [False, True])
def test_ten_crops_reuse_the_centre_crop(photo_folder, fresh_runner, is_file):
    """Four images in batches of 3, the last filled up: nine views of 3 and of 1."""
    whole, alone = [], []

    def predict_fn(images):
        whole.append(len(images))
        return fresh_runner.predict_fn(images)

    def scores_fn(images):
        alone.append(len(images))
        return fresh_runner.scores(images)

    counting = dataclasses.replace(fresh_runner, predict_fn=predict_fn, label_fn=None)
    if is_file:  # which tells both classes
        counting = dataclasses.replace(counting, scores_fn=None, num_scored=2)
    else:
        counting = dataclasses.replace(counting, scores_fn=scores_fn)
    evaluator = folder_evaluator(
        photo_folder, split="train", ten_crop=True, batch_size=4,
        threshold_origin="val-optimal",
    )  # fmt: skip
    evaluated = evaluator.evaluate(counting, model="fresh")
    # The threshold was chosen on its own pass, which needs no ten crops.
    views = [4] * 9 + [2] * 9
    if is_file:
        assert (whole, alone) == ([4, *([4] * 10), 4, *([2] * 9)], [])
    else:
        assert (whole, alone) == ([4, 4, 4], views)
    expected = plain_ten_crops(fresh_runner, evaluated.images)
    np.testing.assert_allclose(
        evaluated.predictions.scores, expected.max(axis=1), atol=1e-6
    )
    np.testing.assert_array_equal(
        evaluated.predictions.class_ids[:, 0], expected.argmax(axis=1)
    )


@pytest.mark.parametrize("count", [5, 6])
def test_ten_crops_of_five_scores_an_image(photo_folder, count):
    """Of six classes one has 0 in each crop: no mean of softmaxes is left."""
    class_names = ("cat", "dog", "eel", "emu", "fox", "owl")[:count]
    runner = untrained_runner(class_names)

    def predict_fn(images):
        outputs = runner.predict_fn(images)
        told = np.sort(outputs[names.SCORES], axis=1)[:, -5:-4]  # the fifth best
        scores = np.where(outputs[names.SCORES] < told, 0, outputs[names.SCORES])
        return {**outputs, names.SCORES: scores}

    file = Runner(predict_fn, class_names, (64, 64), num_scored=5)
    evaluator = folder_evaluator(photo_folder, class_names=class_names, ten_crop=True)
    if count > 5:
        with pytest.raises(UserError) as refused:
            evaluator.evaluate(file, model="six.tflite")
        assert str(refused.value) == (
            "eval.ten_crop is True, but six.tflite is an exported file, which tells "
            "the scores of its best 5 classes: ten crops need those of all 6; set it "
            "to False, or evaluate the workdir it comes from"
        )
        return
    evaluated = evaluator.evaluate(file, model="five.tflite")
    expected = plain_ten_crops(runner, evaluated.images).max(axis=1)
    np.testing.assert_allclose(evaluated.predictions.scores, expected, atol=1e-6)


def test_ten_crops_need_a_margin(photo_folder):
    for protocol in ("maxboxacc", "pxap"):
        with pytest.raises(
            UserError, match=f"eval.ten_crop is True, but .* {protocol}"
        ):
            folder_evaluator(photo_folder, protocol=protocol, ten_crop=True)


def test_an_unknown_protocol_is_refused(photo_folder):
    with pytest.raises(UserError, match="--protocol is 'iou'; known: bas, maxboxacc"):
        folder_evaluator(photo_folder, protocol="iou")


@pytest.mark.parametrize("protocol", ["bas", "maxboxacc", "pxap"])
def test_val_optimal_is_vals_oracle_in_every_protocol(
    photo_folder, fresh_runner, protocol
):
    write_masks(photo_folder)
    write_masks(photo_folder, "train")
    evaluated = {  # the split and what the config says: what is then told
        ("train", "val-optimal"): "val-optimal",
        ("val", "oracle"): "oracle",
        ("val", "val-optimal"): "oracle",  # chosen on the boxes that evaluate it
    }
    figure = "pixel_iou" if protocol == "pxap" else "gt_known_loc"
    chosen = set()
    for (split, origin), told in evaluated.items():
        evaluator = folder_evaluator(
            photo_folder, split=split, protocol=protocol, threshold_origin=origin
        )
        document = evaluator.evaluate(fresh_runner, model="fresh").document
        assert document["threshold_origin"] == told
        assert document["figures"][figure]["threshold_origin"] == told
        chosen.add(document["score_threshold"])
    assert len(chosen) == 1


@pytest.mark.parametrize("threshold", [-0.1, 1.0, 15.0])
def test_a_threshold_that_no_map_has(photo_folder, threshold):
    with pytest.raises(UserError, match=f"eval.score_threshold is {threshold}; a map"):
        folder_evaluator(photo_folder, score_threshold=threshold)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"threshold_origin": "best"}, "eval.threshold_origin is 'best'; known: fixed"),
        ({"ten_crop_precision": "half"}, "eval.ten_crop_precision is 'half'; known:"),
        ({"batch_size": 0}, "eval.batch_size is 0; 1 or more"),
    ],
)
def test_a_mistake_in_the_eval_group_is_told_before_anything_is_read(
    tmp_path, changes, line
):
    with pytest.raises(UserError, match=line):
        folder_evaluator(tmp_path / "missing", **changes)


def test_a_crop_larger_than_its_image(photo_folder):
    config = demo_config()
    config.data.resize_size = (64, 60)
    config.data.source, config.data.root = "folder", str(photo_folder)
    options = {"split": "val", "class_names": ("cat", "dog")}
    line = r"data.crop_size is \(64, 64\), of which data.resize_size \(64, 60\) has no"
    with pytest.raises(UserError, match=line):
        evaluation.Evaluator(config, **options)
    evaluation.Evaluator(config, protocol="maxboxacc", **options)  # takes no crop


def test_a_file_whose_boxes_are_cut_at_another_threshold(photo_folder, fresh_runner):
    """Else its boxes would stand under a threshold that none of them was made by."""
    file = dataclasses.replace(fresh_runner, score_threshold=0.3)
    with pytest.raises(UserError, match="is 0.4, but found.onnx cuts its boxes at 0.3"):
        folder_evaluator(photo_folder, score_threshold=0.4).evaluate(
            file, model="found.onnx"
        )
    for options in (
        {"score_threshold": 0.3},
        {"score_threshold": 0.4, "threshold_origin": "oracle"},  # boxes of the maps
        {"score_threshold": 0.4, "protocol": "maxboxacc"},
    ):
        folder_evaluator(photo_folder, **options).evaluate(file, model="found.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["maxboxacc", "pxap"])
def test_the_command_by_every_protocol(protocol, demo_workdir, tmp_path, command):
    output, lines = tmp_path / "metrics.json", tmp_path / "images.csv"
    code, out, err = command(
        "bas_tf.evaluate", f"--model={demo_workdir}",
        "--config=configs/demo.py:quicktest", "--split=test", f"--output={output}",
        f"--protocol={protocol}", f"--per_image={lines}",
    )  # fmt: skip
    assert code == 0, err
    assert f"protocol {protocol}, split test, 32 images" in out
    document = json.loads(output.read_text())
    assert document["protocol"] == protocol
    name = {"maxboxacc": "max_box_acc_v2", "pxap": "px_ap"}[protocol]
    assert 0 < document["metrics"][name] < 1
    assert len(lines.read_text().splitlines()) == 1 + 32


@pytest.mark.slow
def test_the_cam_as_the_map_has_the_baselines_figures(demo_workdir):
    config = demo_config()
    plain = evaluation.evaluate_model(str(demo_workdir), config, split="val")
    (best,) = plain.document["figures"]["cam/gt_known_loc"]["score_thresholds"]
    config = demo_config(map="cam", score_threshold=best)
    of_cam = evaluation.evaluate_model(str(demo_workdir), config, split="val")
    found = of_cam.document["metrics"]["gt_known_loc"]
    assert found == plain.document["metrics"]["cam/gt_known_loc"]
    assert of_cam.document["figures"]["gt_known_loc"]["map"] == "cam"
    with pytest.raises(UserError, match="eval.map is 'cam'"):
        onnx = demo_workdir / "export/localizer.onnx"
        config = demo_config(map="cam", map_class="predicted")
        evaluation.evaluate_model(str(onnx), config, split="val")


@pytest.mark.slow
def test_all_boxes_are_measured_on_drawings_with_several_objects(demo_workdir):
    config = demo.get_config("quicktest")
    config.data.objects_per_image = 2
    plain = evaluation.evaluate_model(str(demo_workdir), config, split="val")
    config.eval.boxes = "all"
    found = evaluation.evaluate_model(str(demo_workdir), config, split="val")
    added = found.document["figures"].keys() - plain.document["figures"].keys()
    assert added == {"all_boxes_precision", "all_boxes_recall"}
    figure = found.document["figures"]["all_boxes_recall"]
    assert (figure["average"], figure["iou_thresholds"]) == ("boxes", [0.5])
    counts = np.zeros(3)
    for scores, true in zip(found.predictions.maps, found.truth.boxes, strict=True):
        boxes, _ = objects.objects_from_map(
            scores, crop_size_wh=(64, 64), score_threshold=config.eval.score_threshold
        )
        counts += box_counts(boxes, true)
    assert counts[2] == 64
    assert figure["value"] == counts[0] / 64
    with pytest.raises(UserError, match="eval.boxes is 'all'; needs protocol bas"):
        evaluation.evaluate_model(
            str(demo_workdir), config, split="val", protocol="maxboxacc"
        )

"""Runs side by side from workdirs to files, and what is refused."""

import csv
import json

import numpy as np
import pytest

from bas_tf import files
from bas_tf.comparison import compared_runs, comparison
from bas_tf.configs import demo
from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.evaluators.figures import Evaluation
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.evaluators.predictions import Predictions
from bas_tf.jobs import evaluation, experiment, results, resuming
from bas_tf.metrics.bootstrap import RESAMPLES
from bas_tf.training.checkpoint import Checkpointer
from tests.commands import exit_code_in_process, only_error_line, run_command
from tests.evaluated_runs import CLASSES, metrics_file, unsaved_workdir
from tests.lively import enliven


def fresh_workdir(path, config, class_names):
    """A workdir of untrained weights that pass features on, not evaluated yet."""
    resuming.write_experiment(path, config, class_names)
    localizer = enliven(experiment.build_model(config, len(class_names)))
    Checkpointer(path, localizer).save(1)
    return path


@pytest.fixture(scope="module")
def runs(demo_workdir, tmp_path_factory):
    """Evaluated workdirs: the quick demo, fresh weights at another threshold."""
    trained = experiment.load_experiment(demo_workdir)
    config = trained.config
    config.eval.score_threshold, config.loss.beta, config.train.seed = 0.5, 0.7, 9
    fresh = tmp_path_factory.mktemp("runs") / "fresh"
    fresh_workdir(fresh, config, trained.class_names)
    evaluated = evaluation.evaluate_model(
        str(fresh), config, split="test", config_name="configs/demo.py:quicktest"
    )
    files.write_json(fresh / "metrics.json", evaluated.document)
    results.write_per_image(evaluated, fresh / "per_image.csv")
    return demo_workdir, fresh


@pytest.fixture(scope="module")
def compared(runs, tmp_path_factory):
    """(output, its comparison.json, standard output) of the command; to read only."""
    output = tmp_path_factory.mktemp("compared") / "new"
    done = run_command("bas_tf.compare", *runs, f"--output={output}", "--images=6")
    assert done.returncode == 0, done.stderr
    return output, json.loads((output / "comparison.json").read_text()), done.stdout


@pytest.mark.slow
def test_the_command_prints_the_tables_it_writes(compared):
    output, document, printed = compared
    assert printed == (output / "comparison.md").read_text()
    assert "| loss.beta |" in printed and document["left_out"] is None
    names = {path.name for path in output.iterdir()}
    assert names == {"comparison.json", "comparison.md", "comparison.html"}


@pytest.mark.slow
def test_rows_are_the_metrics_files_and_the_keys_that_differ(compared, runs):
    _, document, _ = compared
    assert document["groups"] == [["run", "fresh"]]
    for row, workdir in zip(document["runs"], runs, strict=True):
        metrics = json.loads((workdir / "metrics.json").read_text())
        assert row["seed"] == metrics["seed"]
        assert row["score_threshold"] == metrics["score_threshold"]
        for key, figure in row["figures"].items():
            assert figure["value"] == metrics["metrics"][key]
            assert figure["interval_95"] == metrics["intervals_95"][key]
    assert [row["settings"] for row in document["runs"]] == [
        {"loss.beta": 1.5},
        {"loss.beta": 0.7},
    ]


@pytest.mark.slow
def test_the_models_run_anew_give_their_figures_again(compared):
    """Each at its own threshold, though the first one's eval group says another."""
    _, document, _ = compared
    same = document["same_images"]
    assert (same["reference"], same["num_images"]) == ("run", 32)
    for row, again in zip(document["runs"], same["rows"], strict=True):
        assert again["score_threshold"] == row["score_threshold"]
        for key, figure in row["figures"].items():
            assert again["figures"][key]["value"] == pytest.approx(
                figure["value"], abs=1e-6
            )
    first, second = same["rows"]
    assert first["difference"] == {}
    assert list(second["difference"]) == [
        "gt_known_loc", "top1_loc", "mean_iou", "top1_acc",
    ]  # fmt: skip
    for key, difference in second["difference"].items():
        apart = second["figures"][key]["value"] - first["figures"][key]["value"]
        assert difference["value"] == pytest.approx(apart, abs=1e-9)
        low, high = difference["interval_95"]
        assert low <= apart <= high


@pytest.mark.slow
def test_the_images_shown_are_those_of_the_largest_spread_first(compared, runs):
    _, document, _ = compared
    shown = document["same_images"]["images"]
    assert len({image["image_id"] for image in shown}) == 6
    with open(runs[1] / "per_image.csv", newline="") as file:
        lines = {line["image_id"]: line for line in csv.DictReader(file)}
    for image in shown:
        ious = [answer["iou"] for answer in image["runs"].values()]
        assert image["spread"] == pytest.approx(max(ious) - min(ious), abs=1e-12)
        line, fresh = lines[image["image_id"]], image["runs"]["fresh"]
        assert fresh["iou"] == pytest.approx(float(line["iou"]), abs=1e-6)
        assert image["class"] == line["class"]
        assert fresh["predicted_class"] == line["predicted_class"]
        box = [float(line[side]) for side in ("x0", "y0", "x1", "y1")]
        assert fresh["box"] == pytest.approx(box, abs=1e-3)
    spreads = [image["spread"] for image in shown]
    assert spreads[:3] == sorted(spreads, reverse=True)[:3]


@pytest.mark.slow
def test_the_page_shows_each_image_once_for_each_run(compared):
    output, document, _ = compared
    page = (output / "comparison.html").read_text()
    assert page.count("<img ") == page.count("data:image/jpeg;base64,") == 6 * 3
    for image in document["same_images"]["images"]:
        assert page.count(f">{image['image_id']}<") == 1
    answer = document["same_images"]["images"][0]["runs"]["fresh"]
    told = (
        f"Foreground map and box of fresh: predicted {answer['predicted_class']} "
        f"{answer['score']:.2f}, IoU {answer['iou']:.2f}"
    )
    assert page.index(told) < page.index("Other images, evenly spread")


@pytest.mark.slow
def test_moved_photos_without_boxes_at_two_sizes_and_one_unreadable(
    photo_folder, tmp_path
):
    config = demo.get_config("quicktest")
    config.data.source, config.data.root = "folder", str(photo_folder)
    config.model.width, config.eval.split = 0.125, "val"
    config.eval.views = "flip"
    first = fresh_workdir(tmp_path / "first", config, CLASSES)
    config.data.resize_size, config.data.crop_size = (36, 36), (32, 32)
    second = fresh_workdir(tmp_path / "second", config, CLASSES)
    for workdir in (first, second):
        metrics_file(workdir / "metrics.json", split="val", metrics={})
    (photo_folder / "boxes.csv").unlink()
    photo = photo_folder / "val" / "dog" / "1.jpg"
    photo.write_bytes(photo.read_bytes()[:600])
    moved = photo_folder.rename(tmp_path / "moved")
    output = tmp_path / "out"
    document = comparison.compare_runs(
        [first, second], output, data_root=str(moved), on_bad_image="skip"
    )
    same = document["same_images"]
    assert (same["split"], same["num_images"]) == ("val", 3)
    assert (same["num_images_with_boxes"], same["views"]) == (0, "flip")
    assert list(same["rows"][1]["difference"]) == ["top1_acc"]
    for image in same["images"]:
        assert 0 <= image["spread"] <= 1
        assert [answer["iou"] for answer in image["runs"].values()] == [None, None]
        assert max(image["runs"]["first"]["box"]) <= 64
        assert max(image["runs"]["second"]["box"]) <= 32
    assert "no true box" in (output / "comparison.html").read_text()


def evaluated_images(ious, class_ids, labels) -> EvaluationResult:
    """An evaluation of images with one true box each where the IoU is not NaN."""
    ious, labels = np.array(ious), np.array(labels)
    count, boxed = len(labels), np.flatnonzero(~np.isnan(ious))
    return EvaluationResult(
        document={},
        evaluation=Evaluation({}, {}, 0.5, "fixed", "label", per_image={"iou": ious}),
        records=[],
        predictions=Predictions(
            labels=labels,
            class_ids=np.array(class_ids, np.int32)[:, np.newaxis],
            scores=np.ones(count, np.float32),
            maps=np.zeros([count, 2, 2], np.float32),
            boxes=np.zeros([count, 4], np.float32),
            degenerate=np.zeros(count, bool),
            cams=None,
            map_class="label",
        ),
        truth=GroundTruth(boxed, [np.ones([1, 4])] * len(boxed), (2, 2), (2, 2)),
        images=None,
        class_names=CLASSES,
        config=None,
    )


def test_differences_are_image_by_image():
    """Four images of which one has no box; each right where IoU > 0.5 and class 0."""
    nan = float("nan")
    first = evaluated_images([0.6, 0.4, 0.8, nan], [0, 0, 1, 0], [0, 0, 0, 0])
    second = evaluated_images([0.6, 0.7, 0.5, nan], [0, 0, 0, 1], [0, 0, 0, 0])
    found = compared_runs.paired_difference(second, first)
    by_image = {
        "gt_known_loc": [0, 1, -1],  # 1 1 0 minus 1 0 1
        "top1_loc": [0, 1, 0],  # 1 1 0 minus 1 0 0
        "mean_iou": [0, 0.3, -0.3],
        "top1_acc": [0, 0, 1, -1],  # 1 1 1 0 minus 1 1 0 1
    }
    assert list(found) == list(by_image)
    for key, values in by_image.items():
        assert found[key]["value"] == pytest.approx(np.mean(values), abs=1e-12)
        expected = slow_interval(np.array(values))
        assert found[key]["interval_95"] == pytest.approx(expected, abs=1e-9)


def slow_interval(values) -> list[float]:
    """Draws images one resample at a time, both runs' answers of an image together."""
    rng, means = np.random.default_rng(0), []
    for _ in range(RESAMPLES // 100):
        for drawn in rng.integers(len(values), size=(100, len(values))):
            means.append(np.mean([values[image] for image in drawn]))
    return np.percentile(means, [2.5, 97.5]).tolist()


def test_files_give_tables_alone_kept_apart(monkeypatch, capsys, tmp_path):
    changes = {
        "a": {}, "b": {"protocol": "maxboxacc"}, "c": {"split": "val"},
        "d": {"threshold_origin": "oracle"}, "e": {"num_images": 31},
        "f": {"score_threshold": 0.3, "seed": 1, "config": "configs/other.py"},
    }  # fmt: skip
    paths = [
        metrics_file(tmp_path / name / "metrics.json", **change)
        for name, change in changes.items()
    ]
    output = tmp_path / "out"
    code = exit_code_in_process(
        monkeypatch, "bas_tf.compare", *paths, f"--output={output}"
    )
    out, err = capsys.readouterr()
    assert code == 0, err
    document = json.loads((output / "comparison.json").read_text())
    groups = [[name.split("/")[0] for name in group] for group in document["groups"]]
    assert groups == [["a", "f"], ["b"], ["c"], ["d"], ["e"]]
    assert document["same_images"] is None
    assert "0 of the 6 runs is one" in document["left_out"]
    assert document["left_out"] in out and "cannot be compared" in out
    assert document["runs"][5]["settings"] == {"config": "configs/other.py"}
    assert "<img" not in (output / "comparison.html").read_text()


def test_figures_of_label_maps_come_first(monkeypatch, capsys, tmp_path):
    metrics = {"miou": 0.625, "class_boxes_precision": 0.75, "top1_acc": 0.5}
    paths = [metrics_file(tmp_path / n / "m.json", metrics=metrics) for n in "ab"]
    exit_code_in_process(monkeypatch, "bas_tf.compare", *paths, f"--output={tmp_path}")
    table = [x.split("|") for x in capsys.readouterr().out.splitlines() if "|" in x]
    shown = [cell.strip().split(" (")[0] for cell in table[2]]
    assert shown[-4:-1] == ["62.5 %", "75.0 %", "50.0 %"]


def test_a_run_whose_name_is_not_utf8(monkeypatch, capsys, tmp_path, latin1_name):
    output = tmp_path / "out"
    paths = [metrics_file(tmp_path / name / "run.json") for name in ("a", latin1_name)]
    code = exit_code_in_process(
        monkeypatch, "bas_tf.compare", *paths, f"--output={output}"
    )
    out, err = capsys.readouterr()
    assert code == 0, err
    assert r"caf\udce9/run.json" in out
    assert "caf?/run.json" in (output / "comparison.md").read_text()
    assert "caf?/run.json" in (output / "comparison.html").read_text()


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Runs the command, which must exit 2 and write nothing; returns its one line."""

    def run(*args):
        output = tmp_path / "refused"
        code = exit_code_in_process(
            monkeypatch, "bas_tf.compare", *args, f"--output={output}"
        )
        assert code == 2
        assert not output.exists()
        return only_error_line(capsys.readouterr().err)

    return run


def test_what_is_no_run_is_named(refused, tmp_path):
    good = metrics_file(tmp_path / "good.json")
    assert "0 RUN given; a comparison needs two or more" in refused()
    assert f"1 RUN given ({good}); a comparison needs two" in refused(good)
    assert f"{good}: given twice" in refused(good, good)
    for path in (tmp_path, tmp_path / "lost"):
        assert f"{path}: no config.json in it" in refused(good, path)
    for content, told in [
        ("{", "not valid JSON"), ("[]", "has no 'protocol'; expected a metrics.json"),
        ('{"protocol": "bas"}', "has no 'split'; expected a metrics.json"),
    ]:  # fmt: skip
        bad = tmp_path / "bad.json"
        bad.write_text(content)
        assert f"{bad}: {told}" in refused(good, bad)
    picture = tmp_path / "panels.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    assert f"{picture}: not valid JSON" in refused(good, picture)


def test_a_workdir_that_was_not_evaluated_is_told_how(refused, tmp_path):
    good = metrics_file(tmp_path / "good.json")
    workdir = unsaved_workdir(tmp_path / "run")
    (workdir / "metrics.json").unlink()
    line = refused(good, workdir)
    assert f"{workdir}: no metrics.json in it" in line
    assert f"bas_tf.evaluate with --model={workdir}" in line


def test_other_classes_or_other_images_are_refused(refused, tmp_path):
    config = demo.get_config("quicktest")
    first = unsaved_workdir(tmp_path / "first", config)
    turned = unsaved_workdir(tmp_path / "turned", config, ("cat", "fox"))
    line = refused(first, turned)
    assert f"{turned}: has 2 classes, {first} has 2; the first" in line
    assert "'fox' against 'dog'" in line
    more = unsaved_workdir(tmp_path / "more", config, (*CLASSES, "eel"))
    assert "has 3 classes" in refused(first, more)
    assert "None against 'eel'" in refused(more, first)
    config.data.seed = 5
    other = unsaved_workdir(tmp_path / "other", config)
    line = refused(first, other)
    assert f"{other}: has data.seed=5, {first} has 0: split 'test'" in line


def test_a_run_without_a_checkpoint_is_refused(refused, tmp_path):
    first, second = (
        unsaved_workdir(tmp_path / name, class_names=("a",) * 8) for name in "ab"
    )
    assert f"{first}: no checkpoint in it yet" in refused(first, second)

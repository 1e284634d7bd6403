"""A round with several classes a photo: label maps and the student that learns them."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import ndimage

import bas_tf
from bas_tf import names
from bas_tf.annotation import coco
from bas_tf.data import preprocess
from bas_tf.data.pseudo_masks import LABEL_MAPS_FILE
from bas_tf.errors import UserError
from bas_tf.export.artifacts import onnx_files, saved_models
from bas_tf.export.litert import conversion
from bas_tf.geometry.components import resize_map
from bas_tf.jobs import (
    evaluation,
    experiment,
    localization,
    results,
    training,
)
from bas_tf.metrics import detection
from bas_tf.metrics.segmentation import label_confusion, label_ious
from bas_tf.refinement import masks
from bas_tf.report import table
from bas_tf.runners import load_onnx, load_saved_model, load_tflite
from bas_tf.segmentation import seed_files
from bas_tf.segmentation.choices import Choices, choices_for
from bas_tf.self_training import rounds
from tests.training import narrow

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config():
    with narrow.shallow_backbone() as backbone:
        yield narrow.several_classes_config(backbone)


@pytest.fixture(scope="module")
def workdir(config, tmp_path_factory):
    """Of a student; a call that has nothing left to do comes to the same end."""
    workdir = tmp_path_factory.mktemp("several")
    assert rounds.run_training(config, workdir)
    log = (workdir / "metrics.jsonl").read_text()
    assert rounds.run_training(config, workdir)
    assert (workdir / "metrics.jsonl").read_text() == log
    return workdir


@pytest.fixture(scope="module")
def student(workdir):
    return experiment.load_experiment(workdir)


def test_one_command_makes_label_maps_and_trains_on_them(config, workdir, student):
    index = json.loads((workdir / "teacher_1_masks" / LABEL_MAPS_FILE).read_text())
    made = {key: index[key] for key in ("split", "labels", "maps", "refine", "done")}
    assert made == {
        "split": "train", "labels": "true", "maps": "both", "refine": "crf", "done": 32,
    }  # fmt: skip
    assert index["used_threshold"] == config.train.self_training_threshold
    assert index["class_names"] == list(student.class_names)
    assert student.config.model.map_outputs == "softmax"
    assert student.config.eval.score_threshold == 0.5
    rows = list(map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines()))
    for row in rows:
        terms = row[names.CLASSIFICATION_LOSS], row[names.LABEL_MAP_LOSS]
        assert row[names.LOSS] == pytest.approx(sum(terms), rel=1e-5)
        assert min(terms) > 0 and names.AREA_CONSTRAINT_LOSS not in row
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    teacher = experiment.load_experiment(workdir / "teacher_1")
    for old, new in zip(
        *(experiment.load_localizer(e).trainable_variables for e in (teacher, student)),
        strict=True,
    ):
        assert old.shape != new.shape or (old.numpy() != new.numpy()).any(), old.path


def test_the_student_begins_as_its_teacher_with_a_background_of_zeros(
    config, workdir, tmp_path, rng
):
    _, (begun, _) = rounds.stages(config, workdir)
    begun.train.epochs = 0
    training.run_training(begun, tmp_path)
    images = rng.integers(0, 256, [2, 64, 64, 3]).astype(np.uint8)
    teacher, student = (
        experiment.load_localizer(experiment.load_experiment(folder))
        for folder in (workdir / "teacher_1", tmp_path)
    )
    features = teacher.backbone.trunk(images)
    logits = student.generator.logits(student.backbone.trunk(images)).numpy()
    np.testing.assert_allclose(
        logits[..., :-1], teacher.generator.logits(features), atol=1e-5
    )
    assert (logits[..., -1] == 0).all()


def highest(localizer, photo, keys):
    """A photo's labels, by one pass and a loop over the classes."""
    image = preprocess.resize(photo, (64, 64))[np.newaxis]
    logits = localizer.generator.logits(localizer.backbone.trunk(image))
    logits = logits.numpy()[0]
    labels = np.zeros(photo.shape[:2], np.uint8)
    best = resize_map(logits[..., 8], (72, 72))
    for key in sorted(keys):
        logit = resize_map(logits[..., key], (72, 72))
        labels[logit > best] = key + 1
        best = np.maximum(best, logit)
    return labels


@pytest.mark.parametrize("labels", ["true", "predicted"])
def test_label_maps_of_a_student_are_its_highest_shares(student, tmp_path, labels):
    choices = choices_for(
        student, student.config, split="val", labels=labels, maps="bas", refine="none"
    )
    figures = seed_files.write_label_maps(student, student.config, tmp_path, choices)
    localizer = experiment.load_localizer(student)
    confusion = 0
    for record in experiment.open_source(student.config).records("val"):
        keys = record.labels if labels == "true" else range(8)
        expected = highest(localizer, record.load_image(), keys)
        found = np.asarray(Image.open(tmp_path / f"{record.image_id}.png"))
        assert np.mean(found == expected) > 0.999  # but for ties
        confusion += label_confusion(record.load_class_mask(), found, 9)
    assert figures["miou"] == pytest.approx(np.nanmean(label_ious(confusion)))
    assert seed_files.describe(figures).endswith(f"mIoU {figures['miou']:.3f}")


def test_label_maps_of_a_student_follow_views_and_colours(student, tmp_path):
    config = student.config.copy_and_resolve_references()
    found = {}
    for views, refine in (("", "none"), ("64,96,flip", "none"), ("", "crf")):
        config.eval.views = views
        chosen = choices_for(
            student, config, split="val", labels="predicted", maps="bas", refine=refine
        )
        output = tmp_path / f"{len(found)}"
        seed_files.write_label_maps(student, config, output, chosen)
        files = sorted(output.rglob("*.png"))
        found[views, refine] = np.stack([np.asarray(Image.open(f)) for f in files])
    plain = found.pop(("", "none"))
    assert all((other != plain).any() for other in found.values())
    chosen = choices_for(
        student, config, split="val", labels="predicted", maps="bas", refine="none"
    )
    with pytest.raises(UserError, match="has label maps with other views; use"):
        seed_files.write_label_maps(student, config, tmp_path / "1", chosen)


def test_evaluation_measures_what_one_pass_finds_in_the_crop(student):
    """Against the confusion of all crops' pixels; the teacher has no such figure."""
    evaluated = evaluation.evaluate_model(
        str(student.workdir), student.config, split="val"
    )
    localizer, confusion = experiment.load_localizer(student), 0
    for record in experiment.open_source(student.config).records("val"):
        crop = record.load_image()[np.newaxis, 4:68, 4:68]
        logits = localizer.generator.logits(localizer.backbone.trunk(crop))
        resized = np.roll(tf.image.resize(logits, [64, 64])[0], 1, -1)
        truth = record.load_class_mask()[4:68, 4:68]
        confusion += label_confusion(truth, resized.argmax(axis=-1), 9)
    ious = label_ious(confusion)
    figure = evaluated.evaluation.figures["miou"]
    assert figure.value == pytest.approx(np.nanmean(ious), abs=1e-4)
    assert (figure.num_images, figure.average) == (8, "pixels")
    low, high = figure.interval_95
    assert low < figure.value < high
    document = evaluated.document
    assert document["metrics"]["miou"] == figure.value
    row = results.table_row("keras", document["metrics"])
    assert list(table.columns_of([row])) == list(table.COLUMNS_OF_LABEL_MAPS)
    assert results.baseline_rows(evaluated) == []
    assert document["background_iou"] == pytest.approx(ious[0], abs=1e-4)
    for name, iou in zip(student.class_names, ious[1:], strict=True):
        found = document["class_ious"][name]
        assert np.isnan(iou) if found is None else found == pytest.approx(iou, abs=1e-4)
    teacher = evaluation.evaluate_model(
        str(student.workdir / "teacher_1"), student.config, split="val"
    )
    assert "miou" not in teacher.document["metrics"]
    assert "class_ious" not in teacher.document


@pytest.mark.parametrize("export", ["tflite", "saved_model", "onnx"])
def test_files_say_the_same_labels_and_maps(student, tmp_path, export):
    localizer = experiment.load_localizer(student)
    records = experiment.open_source(student.config).records("val")[:3]
    crops = np.stack([record.load_image()[4:68, 4:68] for record in records])
    expected = experiment.load_runner(student).predict_fn(crops)
    if export == "tflite":
        paths = conversion.export_tflite(
            student, tmp_path, ["none", "dynamic"], variants=("full", "given_class")
        )
        full, dynamic, given, _ = map(load_tflite, paths)
        document = json.loads(paths[0].with_name(f"{paths[0].name}.json").read_text())
        assert document["outputs"][names.SEGMENTATION]["shape"] == [1, 64, 64]
        assert full.labels_pixels and not given.labels_pixels
        found = full.predict_fn(crops)
        rough = dynamic.predict_fn(crops)[names.SEGMENTATION]
        assert np.mean(rough == expected[names.SEGMENTATION]) > 0.8
        maps = given.label_fn(crops, np.array([5, 0, 7]))[names.LABEL_MAP]
        features = localizer.backbone.trunk(crops)
        of_class = localizer.generator(features, tf.constant([[5], [0], [7]]))
        np.testing.assert_allclose(maps, of_class[..., 0], atol=1e-4)
    elif export == "saved_model":
        folder = saved_models.export_saved_model(student.workdir, tmp_path / "saved")
        runner = load_saved_model(folder)
        assert runner.labels_pixels
        found = runner.predict_fn(crops)
    else:
        runner = load_onnx(onnx_files.export_onnx(student.workdir, tmp_path))
        assert runner.labels_pixels
        found = runner.predict_fn(crops)
    same = found[names.SEGMENTATION] == expected[names.SEGMENTATION]
    assert found[names.SEGMENTATION].dtype == np.uint8 and same.mean() > 0.999
    map_of = names.LOCALIZATION_MAP
    np.testing.assert_allclose(found[map_of], expected[map_of], atol=1e-4)


def test_localize_lists_the_largest_part_of_every_class(student, tmp_path):
    record = experiment.open_source(student.config).records("val")[0]
    photo = record.image.decode().resize([144, 90])
    photo.save(tmp_path / "photo.png")
    (row,) = localization.localize_photos(
        str(student.workdir), [tmp_path / "photo.png"], tmp_path, class_name=None
    )
    image = preprocess.resize(np.asarray(photo), (64, 64))[np.newaxis]
    labels = experiment.load_runner(student).predict_fn(image)[names.SEGMENTATION][0]
    found = {each["class"]: each for each in row["classes"]}
    for label in range(1, 9):
        parts, count = ndimage.label(labels == label, np.ones([3, 3]))
        areas = [(parts == i).mean() for i in range(1, count + 1)]
        name = student.class_names[label - 1]
        assert (name in found) == (max(areas, default=0) >= detection.MIN_SHARE)
        if name in found:
            part = parts == 1 + np.argmax(areas)
            mask = masks.from_run_lengths(found[name]["mask_rle"])
            centres = [np.arange(n) * 64 // n + 32 // n for n in (90, 144)]
            assert mask.shape == (90, 144)
            assert np.mean(mask == part[np.ix_(*centres)]) > 0.97
            assert found[name]["area"] == pytest.approx(mask.mean(), abs=1e-4)
            y, x = np.nonzero(mask)
            assert found[name]["box"] == [x.min(), y.min(), x.max() + 1, y.max() + 1]
    sizes = [each["area"] for each in row["classes"]]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) > 1
    answer = bas_tf.load(student.workdir).localize(np.asarray(photo))
    assert [each.label for each in answer.classes] == list(found)
    assert answer.classes[0].mask.mean() == pytest.approx(sizes[0], abs=1e-4)
    folder = tmp_path / "photos" / answer.classes[1].label
    folder.mkdir(parents=True)
    shutil.copy(tmp_path / "photo.png", folder)
    for known, expected in ((False, answer.classes), (True, answer.classes[1:2])):
        output = tmp_path / f"annotated_{known}"
        bas_tf.load(student.workdir).annotate(
            folder.parent, output, masks=True, known_labels=known
        )
        document = json.loads((output / coco.FILE).read_text())
        classes = {each["id"]: each["name"] for each in document["categories"]}
        written = document["annotations"]
        assert [classes[a["category_id"]] for a in written] == [
            each.label for each in expected
        ]
        for each, entry in zip(expected, written, strict=True):
            assert (masks.from_run_lengths(entry["segmentation"]) == each.mask).all()


@pytest.mark.parametrize(
    "changed", [{"maps": "cam"}, {"threshold": "0.3"}, {"refine": "walk"}]
)
def test_what_a_softmax_has_no_use_for_is_refused(student, tmp_path, changed):
    given = {"maps": "bas", "refine": "none", "threshold": "highest"} | changed
    chosen = Choices(split="val", labels="true", **given)
    flag = "=".join(*changed.items())
    with pytest.raises(UserError, match=f"--{flag}: .* has model.map_outputs 'softmax"):
        seed_files.write_label_maps(student, student.config, tmp_path, chosen)

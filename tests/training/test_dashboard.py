"""What TensorBoard is reported, read back from the event files."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from bas_tf import inference, names
from bas_tf.configs import demo
from bas_tf.data import pipeline
from bas_tf.jobs import experiment, training, training_hooks
from bas_tf.training import checkpoint, hooks, loop, train_step
from bas_tf.training.hooks import Validation


def events_of(folder):
    """{tag: {step: array}} of a folder's event files."""
    found = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for content in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(content.numpy())
            for value in event.summary.value:
                tag = found.setdefault(value.tag, {})
                tag[event.step] = tf.make_ndarray(value.tensor)
    return found


def picture_of(event):
    """(width, height, RGB pixels) of the one image of an image event."""
    width, height, content = event
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return int(width), int(height), pixels[..., ::-1]


def progress_of(step):
    """Of two epochs with three steps each; a value is its step and its term's place."""
    terms = train_step.Method(alpha=0.5, beta=1.2).terms
    keys = [*terms, names.LOSS, "accuracy", "learning_rate"]
    return loop.Progress(
        step=step, epoch=(step - 1) // 3, bas_active=True,
        values={key: step + place / 8 for place, key in enumerate(keys)},
        epoch_ends=step % 3 == 0,
    )  # fmt: skip


@pytest.fixture
def logged(tmp_path, rng):
    """Six steps, every second one logged: (events, the pictures that were drawn)."""
    drawn = []

    def draw():
        drawn.append(rng.integers(0, 256, [6, 9, 3]).astype(np.uint8))
        return drawn[-1], np.array([0.25, np.nan, 0.5, 0.75])

    log = hooks.tensorboard_log(tmp_path, every_steps=2, draw_pictures=draw)
    for step in range(1, 7):
        log(progress_of(step))
    return events_of(tmp_path), drawn


def test_every_term_is_there_at_every_logged_step(logged):
    events, _ = logged
    expected = {step: progress_of(step).values for step in (2, 4, 6)}
    assert events.keys() == expected[2].keys() | {
        "fixed_images", "mean_maps_of_fixed_images",
    }  # fmt: skip
    for key in expected[2]:
        found = {step: float(value) for step, value in events[key].items()}
        assert found == {step: values[key] for step, values in expected.items()}


def test_each_epoch_has_one_picture_and_the_mean_maps(logged):
    events, drawn = logged
    assert list(events["fixed_images"]) == [3, 6]
    for event, picture in zip(events["fixed_images"].values(), drawn, strict=True):
        width, height, pixels = picture_of(event)
        assert (width, height) == (9, 6)
        np.testing.assert_array_equal(pixels, picture)
    assert list(events["mean_maps_of_fixed_images"]) == [3, 6]
    for low, high, count in [events["mean_maps_of_fixed_images"][3].T]:
        assert (low.min(), high.max(), count.sum()) == (0.25, 0.75, 3)  # no NaN


def test_the_same_images_are_drawn_each_time_with_the_map_of_now(build, squares):
    config = demo.get_config("quicktest")
    localizer, _ = build()
    draw = training_hooks.picture_drawer(config, localizer, squares)
    crops = pipeline.centre_crops(squares, range(12), crop_size_wh=(64, 64))
    sheets = []
    for shift in (0.0, 1.0):
        localizer.generator.bias.assign_add([shift] * 3)
        predict_fn = inference.make_predict_fn(localizer, score_threshold=0.8)
        maps = predict_fn(crops)[names.LOCALIZATION_MAP]
        sheet, mean_maps = draw()
        np.testing.assert_allclose(mean_maps, maps.mean(axis=(1, 2)), rtol=1e-5)
        sheets.append(sheet)
    assert sheets[0].shape == sheets[1].shape
    assert sheets[0].shape[1] == 16 + 4 * (2 * 112 + 4 + 16)


@pytest.mark.slow
def test_the_demos_dashboard_has_sixteen_images_an_epoch(demo_workdir):
    events = events_of(demo_workdir / "tensorboard")
    assert list(events["fixed_images"]) == [6, 12]
    for event in events["fixed_images"].values():
        _, height, pixels = picture_of(event)
        assert height > 4 * (112 + 16)
        assert len(event[2]) < 1_000_000
        assert pixels.std() > 20
    for histogram in events["mean_maps_of_fixed_images"].values():
        assert histogram[:, 2].sum() == 16
    assert list(events[names.LOSS]) == list(range(1, 13))


def test_each_evaluated_epoch_has_its_figures_and_its_classes(build, tmp_path):
    localizer, _ = build()
    saver = checkpoint.Checkpointer(tmp_path, localizer, folder="best", keep=1)
    evaluated = [
        Validation({"top1_acc": accuracy}, {"ant": accuracy / 2, "bee, wild": 1.0})
        for accuracy in (0.0, 0.25, 0.75)
    ]
    answers = iter(evaluated)  # the first is asked for before the first step
    hook = hooks.keep_best(
        lambda: next(answers), saver, tmp_path,
        log=hooks.tensorboard_validation(tmp_path / "val"),
        metric="top1_acc", first_step=0, steps_per_epoch=3,
    )  # fmt: skip
    for step in range(1, 7):
        hook(progress_of(step))
    found = {
        tag: {step: float(value) for step, value in values.items()}
        for tag, values in events_of(tmp_path / "val").items()
    }
    assert found == {
        "top1_acc": {3: 0.25, 6: 0.75},
        "gt_known_loc_by_class/ant": {3: 0.125, 6: 0.375},
        "gt_known_loc_by_class/bee, wild": {3: 1.0, 6: 1.0},
    }


def test_very_many_classes_are_a_histogram(tmp_path):
    by_class = {f"class {i}": i / 50 for i in range(51)}
    hooks.tensorboard_validation(tmp_path)(4, Validation({}, by_class))
    events = events_of(tmp_path)
    assert list(events) == ["gt_known_loc_by_class"]
    low, high, count = events["gt_known_loc_by_class"][4].T
    assert (low.min(), high.max(), count.sum()) == (0, 1, 51)


@pytest.mark.slow
def test_a_validation_has_the_classes_of_its_figures(tmp_path):
    """Four drawings of each of the eight classes, so both means are the same."""
    config = demo.get_config("quicktest")
    class_names = experiment.open_source(config).class_names
    localizer = experiment.build_model(config, len(class_names))
    sgd = training.build_optimizer(config, 6)
    sgd.build(localizer.trainable_variables)
    validate, _ = training_hooks.make_validation(
        config, tmp_path, localizer, sgd, class_names, "error"
    )
    found = validate()
    assert set(found.gt_known_by_class) == set(class_names)
    mean = np.mean(list(found.gt_known_by_class.values()))
    assert mean == pytest.approx(found.figures["gt_known_loc_class_mean"])

"""Maps averaged over sizes and mirror images."""

import numpy as np
import pytest

from bas_tf import names
from bas_tf.configs import demo
from bas_tf.errors import UserError
from bas_tf.jobs import evaluation, experiment
from bas_tf.refinement import views


def test_views_from_text():
    found = views.parse_views("flip, 96,64", (64, 64))
    assert list(found) == [
        (size_wh, mirrored)
        for size_wh in [(64, 64), (96, 96)]
        for mirrored in (False, True)
    ]
    assert list(views.parse_views("flip", (64, 32))) == [
        ((64, 32), False), ((64, 32), True)
    ]  # fmt: skip
    assert views.parse_views("128", (64, 32)).sizes_wh == ((128, 64),)


@pytest.mark.parametrize("text", ["60", "0", "large", "64;flip", "-64"])
def test_unknown_views_are_named(text):
    with pytest.raises(UserError, match=f"eval.views is '{text}'"):
        views.parse_views(text, (64, 64))


def test_a_crop_of_the_largest_view_shows_the_same_part():
    assert views.scaled_sizes("160,224", (184, 184), (160, 160)) == (
        (258, 258), (224, 224)
    )  # fmt: skip
    assert views.scaled_sizes("flip", (72, 72), (64, 64)) == ((72, 72), (64, 64))


def test_each_view_lies_on_the_photo_again(rng):
    """Maps that are the photo itself: their mean is the photo, unmirrored."""
    photo = np.kron(rng.integers(0, 255, [4, 4, 3]), np.ones([16, 16, 1]))
    found = views.mean_over_views(
        lambda images: {"red": images[..., 0].astype(np.float32)},
        [photo.astype(np.uint8)],
        views.parse_views("64,128,flip", (64, 64)),
    )["red"]
    assert found.shape == (1, 256, 256)
    inner = np.s_[20:44]  # of each square of 64 pixels
    for y in range(4):
        for x in range(4):
            square = found[0, 64 * y : 64 * y + 64, 64 * x : 64 * x + 64]
            np.testing.assert_allclose(square[inner, inner], photo[16 * y, 16 * x, 0])


@pytest.mark.slow
def test_evaluated_maps_are_averaged_and_it_is_said(demo_workdir):
    config = demo.get_config("quicktest")
    plain = evaluation.evaluate_model(str(demo_workdir), config, split="val")
    config.eval.views = "64"
    same = evaluation.evaluate_model(str(demo_workdir), config, split="val")
    np.testing.assert_allclose(same.predictions.boxes, plain.predictions.boxes, atol=1)
    np.testing.assert_array_equal(
        same.predictions.class_ids, plain.predictions.class_ids
    )
    config.eval.views = "64,96,flip"
    averaged = evaluation.evaluate_model(str(demo_workdir), config, split="val")
    assert averaged.predictions.maps.shape[1:] == (32, 32)
    assert averaged.document["views"] == "64,96,flip"
    assert averaged.document["figures"]["mean_iou"]["views"] == "64,96,flip"
    assert "views" not in plain.document
    image = np.zeros([1, 96, 96, 3], np.uint8)
    runner = experiment.load_runner(demo_workdir, views="64,96,flip")
    mirrored = runner.predict_fn(image)[names.LOCALIZATION_MAP][:, :, ::-1]
    image_of = runner.predict_fn(image)[names.LOCALIZATION_MAP]
    np.testing.assert_allclose(mirrored, image_of, atol=1e-6)


@pytest.mark.slow
def test_views_need_a_workdir(demo_workdir):
    with pytest.raises(UserError, match="eval.views is 'flip'.*no training workdir"):
        experiment.load_runner(demo_workdir / "export/localizer.onnx", views="flip")

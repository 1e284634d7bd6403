"""The SavedModel answers as the Keras model does, to anyone who loads it."""

import json
import subprocess
import sys

import numpy as np
import pytest

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.export import formats
from bas_tf.jobs import experiment
from tests.export.conftest import assert_boxes_of_hard_images

pytestmark = pytest.mark.slow

STRANGER = """
import json, sys
import numpy as np
import tensorflow as tf

folder, images = sys.argv[1:]
serve = tf.saved_model.load(folder).signatures["serving_tensor"]
outputs = serve(images=tf.constant(np.load(images)))
assert not any(name.startswith("bas_tf") for name in sys.modules)
outputs = {key: value.numpy().tolist() for key, value in outputs.items()}
print(json.dumps(outputs, default=bytes.decode))
"""


@pytest.fixture(scope="module")
def folder(demo_workdir):
    return demo_workdir / "export" / "saved_model"


def test_a_process_without_this_project_gets_the_keras_models_answer(
    folder, keras_reference, tmp_path
):
    np.save(tmp_path / "images.npy", keras_reference.crops[:3])
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(folder), str(tmp_path / "images.npy")],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outputs = {key: np.array(value) for key, value in json.loads(done.stdout).items()}
    expected = keras_reference.outputs
    assert set(outputs) == {
        names.CLASS_IDS, names.CLASS_NAMES, names.SCORES, names.BOXES,
        names.DEGENERATE, names.CONFIDENCE, names.IMAGE_SIZE, names.LOCALIZATION_MAP,
    }  # fmt: skip
    assert outputs[names.CLASS_IDS].shape == outputs[names.SCORES].shape == (3, 5)
    assert outputs[names.LOCALIZATION_MAP].shape == (3, 8, 8, 1)
    np.testing.assert_array_equal(
        outputs[names.CLASS_IDS][:, 0], expected[names.SCORES][:3].argmax(axis=1)
    )
    np.testing.assert_allclose(
        outputs[names.SCORES], -np.sort(-expected[names.SCORES][:3])[:, :5], atol=1e-5
    )
    np.testing.assert_allclose(outputs[names.BOXES], expected[names.BOXES][:3], atol=1)


def test_a_folder_that_is_no_saved_model_stops_the_other_formats_too(tmp_path):
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "notes.txt").touch()
    with pytest.raises(UserError, match="saved_model: is there and is no SavedModel"):
        formats.export_formats(tmp_path / "lost", tmp_path, ["onnx", "saved_model"])


def test_boxes_equal_kerass_on_every_test_image(folder, keras_reference):
    runner = experiment.load_runner(folder)
    outputs = runner.predict_fn(keras_reference.crops)
    keras_reference.assert_equal_in(outputs, map_atol=1e-5)
    assert runner.input_size_wh is None
    assert (
        runner.class_names == experiment.load_experiment(folder.parents[1]).class_names
    )


def test_frames_without_an_object_get_a_finite_box(folder, hard_images):
    runner = experiment.load_runner(folder)
    assert_boxes_of_hard_images(runner.predict_fn(hard_images))

"""The ONNX file: checked, dynamic in its batch, the Keras model's answers."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.export.artifacts.onnx_files import OPSET
from bas_tf.jobs import experiment
from tests.export.conftest import assert_boxes_of_hard_images

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def path(demo_workdir):
    return demo_workdir / "export" / "localizer.onnx"


def test_the_file_is_of_the_default_domain_alone(path):
    model = onnx.load(path)
    assert {node.domain for node in model.graph.node} <= {""}
    assert next(o.version for o in model.opset_import if o.domain == "") == OPSET
    assert [tensor.name for tensor in model.graph.input] == [names.IMAGES]


def test_it_gives_kerass_boxes_classes_and_maps(path, keras_reference, keras_runner):
    runner = experiment.load_runner(path)
    found = runner.predict_fn(keras_reference.crops)
    keras_reference.assert_equal_in(found, map_atol=1e-4)
    assert runner.class_names == keras_runner.class_names


def test_any_batch_gives_each_image_its_own_answer(path, keras_reference):
    session = onnxruntime.InferenceSession(str(path))
    crops = keras_reference.crops[:7]
    (together,) = session.run([names.BOXES], {names.IMAGES: crops})
    alone = [session.run([names.BOXES], {names.IMAGES: crops[i : i + 1]})[0]
             for i in range(7)]  # fmt: skip
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_frames_without_an_object_get_a_finite_box(path, hard_images):
    runner = experiment.load_runner(path)
    assert_boxes_of_hard_images(runner.predict_fn(hard_images))


@pytest.mark.parametrize("damage", ["cut", "stripped", "other"])
def test_another_file_is_refused_in_one_line(path, tmp_path, damage):
    broken = tmp_path / "broken.onnx"
    if damage == "cut":
        broken.write_bytes(path.read_bytes()[:5000])
    elif damage == "stripped":
        model = onnx.load(path)
        del model.metadata_props[:]
        broken.write_bytes(model.SerializeToString())
    else:
        broken.write_bytes(b"no model at all")
    with pytest.raises(UserError, match="broken.onnx: not a localizer's ONNX fi") as e:
        experiment.load_runner(broken)
    assert "\n" not in str(e.value)


def test_without_onnx_the_room_is_imported_and_the_export_told(demo_workdir, tmp_path):
    """In a process where none of its packages can be imported."""
    script = (
        "import sys\n"
        "for name in ('onnx', 'tf2onnx', 'onnxruntime'): sys.modules[name] = None\n"
        "from bas_tf.export import demo, onnx, tflite, verify\n"
        "from bas_tf.errors import UserError\n"
        f"try: onnx.onnx_files.export_onnx({str(demo_workdir)!r}, {str(tmp_path)!r})\n"
        "except UserError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("onnx cannot be imported")
    assert not list(tmp_path.iterdir())

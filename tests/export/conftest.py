"""The quick demo's test images, and what its Keras model says about them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bas_tf import names
from bas_tf.data import pipeline
from bas_tf.export.litert import conversion
from bas_tf.jobs import experiment


@dataclasses.dataclass(frozen=True)
class Reference:
    """Test images uint8 [32, 64, 64, 3] and the Keras model's outputs."""

    crops: np.ndarray
    outputs: dict[str, np.ndarray]

    def assert_equal_in(self, outputs, *, map_atol: float) -> None:
        """The same boxes within a pixel, the same best classes, maps this near."""
        expected = self.outputs
        np.testing.assert_allclose(outputs[names.BOXES], expected[names.BOXES], atol=1)
        np.testing.assert_array_equal(
            outputs[names.SCORES].argmax(axis=1), expected[names.SCORES].argmax(axis=1)
        )
        np.testing.assert_allclose(
            outputs[names.LOCALIZATION_MAP],
            expected[names.LOCALIZATION_MAP],
            atol=map_atol,
        )


@pytest.fixture(scope="session")
def localizer_files(demo_workdir) -> dict[str, Path]:
    """{quantization: path} of the full files that the demo wrote."""
    folder = demo_workdir / "export"
    return {
        quantization: folder / conversion.file_name("full", quantization, "uint8")
        for quantization in ("none", "int8")
    }


@pytest.fixture(scope="session")
def given_class_files(demo_workdir, tmp_path_factory) -> dict[str, Path]:
    """{quantization: path} of files of the demo that take the class."""
    output, quantizations = tmp_path_factory.mktemp("given_class"), ("none", "int8")
    paths = conversion.export_tflite(
        demo_workdir, output, list(quantizations), variants=("given_class",)
    )
    return dict(zip(quantizations, paths, strict=True))


@pytest.fixture(scope="session")
def keras_runner(demo_workdir):
    return experiment.load_runner(demo_workdir)


@pytest.fixture(scope="session")
def keras_reference(demo_workdir, keras_runner) -> Reference:
    config = experiment.load_experiment(demo_workdir).config
    images = pipeline.ResizedImages(
        experiment.open_source(config).records("test"),
        resize_size_wh=tuple(config.data.resize_size),
        keep=False,
    )
    crops = pipeline.centre_crops(images, range(32), crop_size_wh=(64, 64))
    return Reference(crops, keras_runner.predict_fn(crops))


def assert_boxes_of_hard_images(outputs) -> None:
    """Each in its frame of 64 x 64, a degenerate one all of it."""
    boxes = outputs[names.BOXES]
    assert (boxes >= 0).all() and (boxes <= 64).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    whole = (boxes == [0, 0, 64, 64]).all(axis=1)
    assert whole[outputs[names.DEGENERATE]].all()


@pytest.fixture(scope="session")
def hard_images() -> np.ndarray:
    """Frames without an object: black, white, grey, a gradient; [4, 64, 64, 3]."""
    flat = [np.full([64, 64, 3], value, np.uint8) for value in (0, 255, 128)]
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None], [64, 64, 3])
    return np.stack([*flat, ramp])

"""A checkpoint that torch wrote, imported and exported, predicts as torch does.

The whole way, for the full-width networks of the paper: torch.save, the importer, a
workdir made without training, a SavedModel or a TFLite file. Photos are decoded,
resized and cropped once, by the project; what follows is torch's own: scaling of
pixels, network, softmax, map.
"""

import dataclasses
import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bas_tf import names, runners
from bas_tf.data import pipeline
from bas_tf.export.artifacts import saved_models
from bas_tf.export.litert import conversion
from bas_tf.jobs import experiment
from bas_tf.jobs.training import run_training
from bas_tf.jobs.weights_import import run_import
from tests.conftest import REPO
from tests.golden import weights

torch = pytest.importorskip("torch")

from tests.golden import torch_twins  # noqa: E402

pytestmark = pytest.mark.slow

BUTTERFLIES = REPO.parent / "shared" / "data" / "butterflies"
CLASSES = 5  # as many as a file reports, so that every probability is compared
QUICKEST = "mobilenet_v1"
CROP_WH = (128, 96)  # not square: swapped axes would show
# ImageNet's statistics, as every torch model of the paper was trained with.
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@dataclasses.dataclass(frozen=True)
class Carried:
    """A network before and after its way through the project.

    Attributes:
      crops: uint8 [CLASSES, 96, 128, 3].
      probabilities: torch's, [CLASSES images, CLASSES].
      class_maps: torch's foreground maps of every class, [images, classes, 12, 16].
      workdir: what the importer and `epochs=0` made of torch's file.
    """

    crops: np.ndarray
    probabilities: np.ndarray
    class_maps: np.ndarray
    workdir: Path

    @property
    def best(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)

    @property
    def localization_maps(self) -> np.ndarray:
        """Of the best class, [images, 12, 16]."""
        return self.class_maps[np.arange(len(self.best)), self.best]


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A folder source with one JPEG in each of CLASSES classes.

    Photos of butterflies where they are at hand, else the project's drawings.
    """
    root = tmp_path_factory.mktemp("photos")
    butterflies = sorted(BUTTERFLIES.glob("train/*/"))[:CLASSES]
    for i in range(CLASSES):
        photo = root / "train" / f"class_{i}" / "photo.jpg"
        photo.parent.mkdir(parents=True)
        if butterflies:
            photo.write_bytes(min(butterflies[i].glob("*.jpg")).read_bytes())
        else:
            Image.fromarray(drawing(i)).save(photo, quality=90)
    return root


def drawing(index: int) -> np.ndarray:
    from bas_tf.data.drawings.source import draw_example

    return draw_example(seed=0, split="train", index=index, image_size=(200, 150)).image


@pytest.fixture(scope="module", params=torch_twins.TWINS)
def carried(request, photos) -> Iterator[Carried]:
    """One network at a time: a workdir with its checkpoint is up to a gigabyte."""
    backbone = request.param
    with tempfile.TemporaryDirectory() as folder:
        config = config_of(backbone, photos, Path(folder) / "imported.weights.h5")
        twin = twin_by_rule(backbone)
        import_twin(twin, backbone, Path(config.model.weights))
        run_training(config, Path(folder) / "workdir")
        crops = crops_of(config)
        probabilities, class_maps = predict_with_torch(twin, crops)
        yield Carried(crops, probabilities, class_maps, Path(folder) / "workdir")


def config_of(backbone: str, photos: Path, imported: Path):
    """The paper's config of a backbone, for a few small photos and no training."""
    config = importlib.import_module(
        f"bas_tf.configs.paper.cub_{backbone}"
    ).get_config()
    config.data.source = "folder"
    config.data.root = str(photos)
    config.data.resize_size, config.data.crop_size = (144, 108), CROP_WH
    config.data.batch_size = CLASSES
    config.model.weights, config.model.variant = str(imported), "paper"
    config.model.top_k = 1
    config.train.epochs = 0
    return config


def crops_of(config) -> np.ndarray:
    images = pipeline.ResizedImages(
        experiment.open_source(config).records("train"),
        resize_size_wh=config.data.resize_size,
        keep=False,
    )
    return pipeline.centre_crops(images, range(CLASSES), crop_size_wh=CROP_WH)


def twin_by_rule(backbone: str):
    """A network whose features and BatchNorm statistics are all of the order of one."""
    twin = torch_twins.TWINS[backbone](num_classes=CLASSES).eval()
    shapes = {name: tuple(entry.shape) for name, entry in twin.state_dict().items()}
    entries = {name: weights.entry(name, shapes[name], shapes) for name in shapes}
    twin.load_state_dict({n: torch.from_numpy(entry) for n, entry in entries.items()})
    return twin


def import_twin(twin, backbone: str, output: Path) -> None:
    """Through a file as training runs write it, from DataParallel."""
    checkpoint = output.with_name("model_epoch100.pth.tar")
    state = {f"module.{name}": entry for name, entry in twin.state_dict().items()}
    torch.save({"epoch": 100, "state_dict": state}, checkpoint)
    outcome = run_import(
        source="bas_official", backbone=backbone, num_classes=CLASSES,
        checkpoint=str(checkpoint), output=output,
    )  # fmt: skip
    assert len(outcome.assigned) + len(outcome.ignored) == len(state)
    assert outcome.fresh == outcome.unmatched == ()


def predict_with_torch(twin, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and the foreground map of every class, by the method's formulas."""
    images = torch.from_numpy(((crops / 255 - MEAN) / STD).transpose(0, 3, 1, 2))
    with torch.inference_mode():
        features = twin.trunk(images.float())
        scores = twin.head()(features).mean((2, 3))
        class_maps = torch.sigmoid(twin.classifier_loc(features))
    return scores.softmax(1).numpy(), class_maps.numpy()


def test_what_is_compared_tells_photos_and_classes_apart(carried):
    """Else the other tests could not fail: each of these spreads is 100 tolerances."""
    assert np.ptp(carried.probabilities, axis=1).min() > 1e-2  # between classes
    assert np.ptp(carried.probabilities, axis=0).max() > 1e-2  # between photos
    assert np.ptp(carried.localization_maps, axis=(1, 2)).min() > 1e-2
    others = np.delete(carried.class_maps[0], carried.best[0], axis=0)
    assert np.abs(others - carried.localization_maps[0]).max((1, 2)).min() > 1e-2
    best_two = np.sort(carried.probabilities, axis=1)[:, -2:]
    assert np.diff(best_two).min() > 1e-3  # so that the best class is no toss-up


def test_the_exported_file_predicts_as_torch(carried):
    """A TFLite file of the quickest network, SavedModels of the others."""
    output = carried.workdir / "export" / "saved_model"
    if experiment.load_experiment(carried.workdir).config.model.backbone == QUICKEST:
        (path,) = conversion.export_tflite(carried.workdir, output.parent, ["none"])
        runner = runners.load_tflite(path)
    else:
        saved_models.export_saved_model(carried.workdir, output)
        runner = runners.load_saved_model(output)
    outputs = runner.predict_fn(carried.crops)
    for key, theirs in (
        (names.SCORES, carried.probabilities),
        (names.LOCALIZATION_MAP, carried.localization_maps),
    ):
        ours = outputs[key]
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)

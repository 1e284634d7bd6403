"""Pascal VOC 2012 and SBD in their real layouts."""

import logging

import numpy as np
import pytest
from PIL import Image

from bas_tf.configs import voc12_resnet50
from bas_tf.data.sources import load_source
from bas_tf.data.sources.voc2012 import CLASSES, Voc2012Source
from bas_tf.errors import DataError
from bas_tf.jobs import experiment, training
from bas_tf.segmentation import seed_files
from tests.data import tiny_class_sets as tiny
from tests.training import narrow


def ids_of(source, split: str) -> list[str]:
    return [r.image_id.removeprefix("JPEGImages/")[:-4] for r in source.records(split)]


def test_labels_boxes_and_masks_of_val(tmp_path):
    """Of all objects, a difficult one too, and not of the first one's part, a cat."""
    source = load_source("voc2012", root=str(tiny.make_voc(tmp_path)))
    assert source.class_names == CLASSES
    records = source.records("val")
    for record, names in zip(records, tiny.VOC_VAL.values(), strict=True):
        classes = tuple(dict.fromkeys(map(CLASSES.index, names)))
        assert (record.labels, record.label) == (classes, classes[0])
        mask = record.load_class_mask()
        np.testing.assert_array_equal(mask, tiny.class_mask(names))
        image = record.load_image()
        assert image[(mask > 0) & (mask < 255)].min() > 200
        assert image[mask == 0].max() < 60
    boxes = [tiny.corners_of(0), tiny.corners_of(2)]
    np.testing.assert_array_equal(records[0].boxes_original, boxes)
    mask = tiny.class_mask(("bird", "person", "bird"))
    expected = np.select([mask == 3, mask == 255], [255, 128])
    np.testing.assert_array_equal(records[0].load_mask(), expected)


def test_masks_follow_a_models_order_of_classes(tmp_path):
    voc = tiny.make_voc(tmp_path)
    record = Voc2012Source(root=str(voc), class_names=CLASSES[::-1]).records("val")[0]
    assert record.labels == (17, 5)
    truth = tiny.class_mask(("bird", "person", "bird"))
    expected = np.where((truth > 0) & (truth < 255), 21 - truth.astype(int), truth)
    np.testing.assert_array_equal(record.load_class_mask(), expected)


@pytest.mark.parametrize("root", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_train_is_train_aug_where_sbd_is_there(tmp_path, root):
    """VOC's val is never in it, though SBD's lists have it."""
    tiny.make_voc(tmp_path)
    source = Voc2012Source(root=str(tmp_path / root))
    assert ids_of(source, "train") == sorted([*tiny.VOC_TRAIN, *tiny.SBD_ONLY])
    assert ids_of(source, "voc_train") == list(tiny.VOC_TRAIN)
    masks = [r.load_class_mask is not None for r in source.records("train")]
    assert masks == [True, True, False, False]


def test_without_sbd_train_is_vocs_own_and_said_to_be(tmp_path, caplog):
    source = Voc2012Source(root=str(tiny.make_voc(tmp_path, sbd=False)))
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert ids_of(source, "train") == list(tiny.VOC_TRAIN)
    assert "split train is VOC's own 2 photos; train_aug has 10582" in caplog.text


def write_index_21(voc):
    path = voc / "SegmentationClass/2007_000033.png"
    tiny.save_palette(path, np.full([40, 60], 21, np.uint8))


def write_colours(voc):
    Image.new("RGB", (60, 40)).save(voc / "SegmentationClass/2007_000033.png")


def write_other_classes(voc):
    path = voc / "Annotations/2007_000033.xml"
    path.write_text(path.read_text().replace("bird", "emu").replace("person", "elf"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (write_index_21, r"_000033.png: has index 21; expected 0 to 20, or 255"),
        (write_colours, r"_000033.png: mode is RGB; expected a PNG with a palette"),
        (write_other_classes, r"_000033.xml: has no object of the 20 classes"),
        (
            lambda voc: (voc / "Annotations/2007_000033.xml").unlink(),
            r"_000033.xml: no such file",
        ),
        (
            lambda voc: (voc / "ImageSets/Segmentation/val.txt").unlink(),
            r"val.txt: no such file",
        ),
    ],
)
def test_a_fault_names_its_file(tmp_path, spoil, message):
    voc = tiny.make_voc(tmp_path)
    spoil(voc)
    with pytest.raises(DataError, match=message):
        Voc2012Source(root=str(voc)).records("val")[0].load_class_mask()


def test_test_has_no_labels(tmp_path):
    source = Voc2012Source(root=str(tiny.make_voc(tmp_path)))
    with pytest.raises(DataError, match="'test' without labels and masks; expected tr"):
        source.records("test")


@pytest.mark.slow
def test_two_steps_of_the_config_and_label_maps_with_their_miou(tmp_path):
    """All but network, sizes, weights and strategy is the config's own."""
    config = voc12_resnet50.get_config()
    config.data.root = str(tiny.make_voc(tmp_path))
    config.data.resize_size, config.data.crop_size = (72, 72), (64, 64)
    config.data.batch_size, config.train.epochs = 2, 1
    config.model.weights, config.model.width = "", 0.125
    config.train.strategy, config.train.log_every_steps = "default", 1
    with narrow.shallow_backbone() as config.model.backbone:
        training.run_training(config, tmp_path / "run", evaluated_split="val")
        teacher = experiment.load_experiment(tmp_path / "run")
        log = (tmp_path / "run" / experiment.LOG_FILE).read_text().splitlines()
        choices = seed_files.Choices("train", "true", "bas", "none", "0.3")
        figures = seed_files.write_label_maps(
            teacher, config, tmp_path / "maps", choices
        )
    assert len(log) == 2
    assert (figures["num_images"], figures["num_measured"]) == (4, 2)
    hits, union = np.zeros([2, 21])
    for record in experiment.open_source(config).records("voc_train"):
        path = tmp_path / "maps" / record.image_id
        found = np.asarray(Image.open(path.with_suffix(".png")))
        assert set(found.flat) <= {0, *np.add(record.labels, 1)}
        truth = record.load_class_mask()
        found = np.where(truth == 255, 255, found)
        for k in range(21):
            hits[k] += ((truth == k) & (found == k)).sum()
            union[k] += ((truth == k) | (found == k)).sum()
    seen = union > 0
    assert figures["miou"] == pytest.approx((hits[seen] / union[seen]).mean())

"""What holds for every source: names, classes, splits, and a root that is wrong."""

import numpy as np
import pytest

from bas_tf.configs.paper import cub_vgg16
from bas_tf.data.sources import SOURCES, load_source, voc2012
from bas_tf.data.sources.cub import CubSource
from bas_tf.errors import DataError
from bas_tf.jobs import experiment
from tests.data import tiny_class_sets, tiny_sets, tiny_tfds
from tests.data.tiny_tfds import BIRDS

SETS = {
    "cub": (tiny_sets.make_cub, tiny_sets.BIRDS),
    "ilsvrc": (tiny_sets.make_boxed_ilsvrc, tiny_sets.SYNSETS),
    "open_images30k": (tiny_sets.make_open_images, ("01226z", "0138tl", "014j1m")),
    "stanford_cars": (
        lambda root: tiny_sets.make_cars(root, one_table=True), tiny_sets.CARS,
    ),
    "stanford_cars, devkit": (
        lambda root: tiny_sets.make_cars(root, one_table=False), tiny_sets.CARS,
    ),
    "stanford_dogs": (tiny_sets.make_dogs, tiny_sets.BREEDS),
    "fgvc_aircraft": (tiny_sets.make_aircraft, tiny_sets.VARIANTS),
    "voc2012": (tiny_class_sets.make_voc, voc2012.CLASSES),
    "coco2014": (
        tiny_class_sets.make_coco, tuple(tiny_class_sets.CATEGORIES.values()),
    ),
    "shards": (tiny_sets.make_shards, tiny_sets.BIRDS),
    BIRDS: (tiny_tfds.make_birds, tuple(map(str, range(3)))),
}  # fmt: skip
WITHOUT_BOXES = ("open_images30k",)
OTHER_PHOTOS = ("voc2012", "coco2014")  # than those of `tiny_sets.draw`
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module", params=SETS)
def opened(request, tmp_path_factory):
    """(name of the source, its root, class names)."""
    make, class_names = SETS[request.param]
    name = request.param.partition(",")[0]
    return name, make(tmp_path_factory.mktemp("set")), class_names


def test_photos_labels_and_boxes_are_those_drawn(opened):
    name, root, _ = opened
    if name in OTHER_PHOTOS:
        pytest.skip("its own test looks at them")
    source = load_source(name, root=str(root))
    evaluated = source.splits[-1] if name != BIRDS else "test"
    counts = (2, 1) if name in WITHOUT_BOXES else (tiny_sets.TRAIN, tiny_sets.TEST)
    for split, count in zip(("train", evaluated), counts, strict=True):
        records = source.records(split)
        labels = sorted(record.label for record in records)
        assert labels == [label for label in range(3) for _ in range(count)]
        has_boxes = name not in WITHOUT_BOXES and (name, split) != ("ilsvrc", "train")
        for record in records:
            assert (record.boxes_original is not None) == has_boxes
            if has_boxes:
                assert record.boxes_original.dtype == np.float32
                box = record.boxes_original[0]
                tiny_sets.assert_drawn_on_box(record.load_image(), box, record.label)


def test_classes_are_the_sets_own_or_a_models_in_its_order(opened):
    name, root, class_names = opened
    source = load_source(name, root=str(root))
    assert source.class_names == class_names
    split = "val" if "val" in source.splits else "test"
    labels = [record.label for record in source.records(split)]
    assert sorted(set(labels)) == [0, 1, 2]
    reverse = load_source(name, root=str(root), class_names=class_names[::-1])
    last = len(class_names) - 1
    assert [last - record.label for record in reverse.records(split)] == labels
    with pytest.raises(DataError, match="not one of the 2 classes"):
        load_source(name, root=str(root), class_names=class_names[:2]).records(split)
    with pytest.raises(DataError, match="no split 'lost'; it has .*train"):
        source.records("lost")


@pytest.mark.parametrize("name", [*sorted(SOURCES.keys() - {"synthetic"}), BIRDS])
def test_a_wrong_root_is_named_with_what_it_holds_and_should(tmp_path, name):
    (tmp_path / "notes.txt").touch()
    wrong = "no such folder" if name == "folder" else "holds 'notes.txt'; expected "
    with pytest.raises(DataError, match=f"{tmp_path}.*{wrong}"):
        load_source(name, root=str(tmp_path))
    with pytest.raises(DataError, match="/nowhere"):
        load_source(name, root="/nowhere")
    if name in SOURCES:
        with pytest.raises(DataError, match="data.root is empty: name the folder"):
            load_source(name, root="")


def test_an_unknown_source_is_answered_with_the_known_ones():
    known = ", ".join([*sorted(SOURCES), "tfds:NAME"])
    with pytest.raises(DataError, match=f"is 'voc'; known: {known}"):
        load_source("voc", root="x")


def test_a_papers_config_opens_the_raw_data_set(tmp_path):
    config = cub_vgg16.get_config()
    config.data.root = str(tiny_sets.make_cub(tmp_path))
    source = experiment.open_source(config)
    assert isinstance(source, CubSource)
    assert len(source.records(config.eval.split)) == 6
    reverse = tiny_sets.BIRDS[::-1]
    assert experiment.open_source(config, reverse).class_names == reverse

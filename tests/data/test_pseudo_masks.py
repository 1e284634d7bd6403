"""Masks of training photos: in step with their photo, or refused in one line."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from bas_tf import names
from bas_tf.data import pipeline
from bas_tf.data.pseudo_masks import (
    INDEX_FILE,
    LABEL_MAPS_FILE,
    PseudoMasks,
    content_hash,
    mask_paths,
)
from bas_tf.data.sources import load_source
from bas_tf.errors import DataError, UserError

LEFT_OUT = "train/dog/1.jpg"


def records_of(folder):
    return load_source("folder", root=str(folder)).records("train")


def write_mask(folder, image_id, mask):
    (path,) = mask_paths(folder, [image_id])
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return path


@pytest.fixture
def folder(photo_folder, tmp_path):
    """Masks of the bright squares of all training photos but one, half their size."""
    for record in records_of(photo_folder):
        if record.image_id != LEFT_OUT:
            bright = record.load_image().max(axis=2) > 128
            mask = np.where(bright[::2, ::2], 255, 0).astype(np.uint8)
            write_mask(tmp_path / "masks", record.image_id, mask)
    return tmp_path / "masks"


def batches_of(records, epoch, *, batch_size=3, keep=True, **options):
    images = pipeline.TrainingImages(
        records, resize_size_wh=(80, 60), keep=keep, **options
    )
    return pipeline.train_batches(
        images, crop_size_wh=(64, 32), batch_size=batch_size, seed=0, epoch=epoch
    )


@pytest.mark.parametrize("keep", [True, False])
def test_a_mask_is_cropped_and_mirrored_with_its_photo(photo_folder, folder, keep):
    records = records_of(photo_folder)
    masks = PseudoMasks(folder, records)
    assert masks.count == len(records) - 1
    seen = 0
    for epoch in range(4):
        for batch in batches_of(records, epoch, keep=keep, masks=masks):
            pairs = zip(batch[names.IMAGES], batch[names.MASKS], strict=True)
            for image, mask in pairs:
                mask, bright = mask.numpy()[..., 0], image.numpy().max(axis=2) > 128
                if (mask == 128).all():  # the photo without a mask
                    continue
                assert set(np.unique(mask)) <= {0, 255}
                # halved: an edge's pixel
                assert np.mean((mask == 255) != bright) < 0.04
                seen += bright.any()
    assert seen >= 16


def test_pictures_and_order_are_the_same_with_masks(photo_folder, folder):
    records = records_of(photo_folder)

    def pictures(**options):
        batches = batches_of(records, 1, **options)
        return np.concatenate([batch[names.IMAGES] for batch in batches])

    masked = pictures(masks=PseudoMasks(folder, records))
    np.testing.assert_array_equal(masked, pictures())


def test_a_folder_without_a_fitting_mask_is_refused(photo_folder, tmp_path):
    with pytest.raises(UserError, match=re.escape(f"data.pseudo_masks={tmp_path}")):
        PseudoMasks(tmp_path, records_of(photo_folder))


def test_photos_that_differ_in_their_ending_have_each_its_mask(tmp_path):
    ids = ["cat/a.jpg", "cat/a.png", "cat/b.jpg", "dog/a.jpg"]
    names = ["cat/a.jpg.png", "cat/a.png.png", "cat/b.png", "dog/a.png"]
    assert mask_paths(tmp_path, ids) == [tmp_path / name for name in names]


def test_a_mask_of_other_proportions_or_that_is_no_picture_is_named(
    photo_folder, folder
):
    records = records_of(photo_folder)
    turned = write_mask(folder, records[0].image_id, np.zeros([80, 60], np.uint8))
    with pytest.raises(DataError, match=f"{re.escape(str(turned))}.*60x80.*80x60"):
        PseudoMasks(folder, records).load(0, (40, 30))
    ones = np.ones([60, 80], np.uint8)
    turned = write_mask(folder, records[0].image_id, ones)
    with pytest.raises(DataError, match=f"{re.escape(str(turned))}: has value 1"):
        PseudoMasks(folder, records).load(0, (40, 30))
    turned.write_text("no picture")
    with pytest.raises(DataError, match=re.escape(str(turned))):
        PseudoMasks(folder, records).load(0, (40, 30))


def test_masks_of_other_photos_and_unfinished_ones_are_refused(photo_folder, folder):
    records = records_of(photo_folder)
    photos = {record.image_id: {"sha256": content_hash(record)} for record in records}
    index = {"finished": True, "photos": photos}
    (folder / INDEX_FILE).write_text(json.dumps(index))
    PseudoMasks(folder, records)
    (folder / INDEX_FILE).write_text(json.dumps(index | {"finished": False}))
    with pytest.raises(UserError, match=INDEX_FILE):
        PseudoMasks(folder, records)
    (folder / INDEX_FILE).write_text(json.dumps(index))
    shutil.copy(photo_folder / "val/cat/1.jpg", photo_folder / "train/cat/0.jpg")
    with pytest.raises(UserError, match="train/cat/0.jpg"):
        PseudoMasks(folder, records_of(photo_folder))


@pytest.fixture
def label_maps(photo_folder, tmp_path):
    """Of the squares of all training photos but one, cats 1 and dogs 2; an index."""
    records, folder = records_of(photo_folder), tmp_path / "labels"
    for record in records:
        if record.image_id != LEFT_OUT:
            bright = record.load_image().max(axis=2) > 128
            labels = np.where(bright, record.label + 1, 0).astype(np.uint8)
            write_mask(folder, record.image_id, labels)
    index = {
        "done": 6, "training_photos": {"count": 6}, "split": "train",
        "class_names": ["cat", "dog"],
    }  # fmt: skip
    (folder / LABEL_MAPS_FILE).write_text(json.dumps(index))
    return folder


def test_a_label_map_is_cropped_and_mirrored_with_its_photo(photo_folder, label_maps):
    records = records_of(photo_folder)
    masks = PseudoMasks(label_maps, records, ["cat", "dog"])
    (batch,) = batches_of(records, 0, batch_size=6, masks=masks, num_classes=2)
    unsure = 0
    for image, labels, label in zip(
        *(batch[key].numpy() for key in (names.IMAGES, names.MASKS, names.LABELS)),
        strict=True,
    ):
        unsure += (labels == 255).all()
        if not (labels == 255).any():
            expected = (label + 1) * (image.max(axis=2) > 128)
            np.testing.assert_array_equal(labels[..., 0], expected)
    assert unsure == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"done": 5}, "5 of 6 label maps are there; the same"),
        ({"split": "val"}, "is of 6 photos of split val, not of the 6 training"),
        (
            {"class_names": ["dog", "cat"]},
            r"labels are 2 \(dog, cat…\), the classes of",
        ),
    ],
)
def test_label_maps_that_do_not_fit_are_refused(
    photo_folder, label_maps, change, message
):
    path = label_maps / LABEL_MAPS_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=message):
        PseudoMasks(label_maps, records_of(photo_folder), ["cat", "dog"])


def test_masks_and_label_maps_are_not_mixed_up(photo_folder, folder, label_maps):
    records = records_of(photo_folder)
    with pytest.raises(UserError, match="has label maps of several .* needs masks of"):
        PseudoMasks(label_maps, records)
    (label_maps / LABEL_MAPS_FILE).unlink()  # as another tool's
    with pytest.raises(DataError, match="has label 2; expected a grey PNG .* 1 to 1 f"):
        PseudoMasks(label_maps, records, ["cat"]).load(3, (40, 30))
    (folder / INDEX_FILE).write_text("{}")
    with pytest.raises(UserError, match="has masks of one object; .* needs label maps"):
        PseudoMasks(folder, records, ["cat", "dog"])

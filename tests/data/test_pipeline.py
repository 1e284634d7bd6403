"""Order, augmentation, resuming and bad files of the input pipeline."""

import dataclasses

import numpy as np
import pytest

from bas_tf import names
from bas_tf.data import epoch_order, pipeline
from bas_tf.data.images import DrawnImage
from bas_tf.data.records import Record
from bas_tf.errors import DataError


def images_of(count, *, keep=True, size=(40, 32), kind=pipeline.TrainingImages):
    """Record i is a ramp whose blue channel is i."""

    def make(i):
        ramp = np.mgrid[0 : size[1], 0 : size[0]].astype(np.uint8)
        return np.stack([ramp[0], ramp[1], np.full_like(ramp[0], i)], axis=-1)

    records = [
        Record(
            image_id=str(i), label=i % 3, image=DrawnImage(lambda i=i: make(i), size)
        )
        for i in range(count)
    ]
    return kind(records, resize_size_wh=size, keep=keep)


def batches_of(epoch, *, seed=0, keep=True, worker=(0, 1), size=(40, 32)):
    batches = pipeline.train_batches(
        images_of(11, keep=keep, size=size), crop_size_wh=(32, 24), batch_size=4,
        seed=seed, epoch=epoch, worker=worker,
    )  # fmt: skip
    return [{k: v.numpy() for k, v in batch.items()} for batch in batches]


def test_training_batches_shapes_and_labels():
    batches = batches_of(0)
    assert [b[names.IMAGES].shape for b in batches] == [(4, 24, 32, 3)] * 2
    for batch in batches:
        indices = batch[names.IMAGES][:, 0, 0, 2]
        np.testing.assert_array_equal(batch[names.LABELS], indices % 3)
    seen = np.concatenate([b[names.IMAGES][:, 0, 0, 2] for b in batches])
    assert len(set(seen)) == 8  # no image twice in an epoch


def test_an_epoch_depends_on_seed_and_epoch_alone():
    """Nor on whether images are kept, also where they are resized to crop."""
    first = batches_of(3)
    for size in ((40, 32), (53, 37)):
        kept, again = (batches_of(3, keep=k, size=size) for k in (True, False))
        for a, b in zip(kept, again, strict=True):
            np.testing.assert_array_equal(a[names.IMAGES], b[names.IMAGES])
    for other in (batches_of(4), batches_of(3, seed=1)):
        assert (first[0][names.IMAGES] != other[0][names.IMAGES]).any()


@pytest.mark.slow
def test_crops_move_and_half_are_mirrored():
    tops, mirrored = set(), []
    for epoch in range(40):
        for batch in batches_of(epoch):
            for image in batch[names.IMAGES]:
                tops.add(int(image[0, 0, 0]))
                mirrored.append(image[0, 0, 1] > image[0, -1, 1])
    assert tops == set(range(9))  # 32 - 24 = 8 rows of play
    # 320 fair coins: mean 0.5, standard error 0.028
    assert abs(np.mean(mirrored) - 0.5) < 4 * 0.028


def test_the_label_of_several_classes_is_drawn_anew_in_each_epoch():
    """Image i has class i % 3 and, when odd, class 3: about half of 400 draws each."""
    images = images_of(11)
    records = [
        dataclasses.replace(record, other_labels=(3,) * (i % 2))
        for i, record in enumerate(images._records)
    ]
    options = {"resize_size_wh": (40, 32), "keep": True, "num_classes": 4}
    images = pipeline.TrainingImages(records, **options)
    np.testing.assert_array_equal(images.present[:2], [[1, 0, 0, 0], [0, 1, 0, 1]])
    drawn = np.stack(
        [epoch_order.draw_labels(images.present, seed=0, epoch=e) for e in range(400)]
    )
    expected = np.arange(11) % 3
    assert (drawn[:, ::2] == expected[::2]).all()
    odd = drawn[:, 1::2]
    assert ((odd == expected[1::2]) | (odd == 3)).all()
    shares = (odd == 3).mean(axis=0)
    assert (np.abs(shares - 0.5) < 4 * 0.025).all()  # standard error 0.5 / sqrt(400)
    # Not by the number of images, nor by where a batch begins.
    fewer = epoch_order.draw_labels(images.present[:6], seed=0, epoch=7)
    np.testing.assert_array_equal(fewer, drawn[7, :6])
    options = {"crop_size_wh": (32, 24), "batch_size": 4, "seed": 0, "epoch": 7}
    for worker in ((0, 1), (1, 2)):
        for batch in pipeline.train_batches(
            images, first_batch=1, worker=worker, **options
        ):
            index = batch[names.IMAGES][:, 0, 0, 2].numpy()
            np.testing.assert_array_equal(batch[names.LABELS], drawn[7, index])
            np.testing.assert_array_equal(batch[names.PRESENT], images.present[index])


def test_workers_share_every_batch():
    whole = batches_of(2)
    for count in (2, 4):
        shares = [batches_of(2, worker=(i, count)) for i in range(count)]
        for step, batch in enumerate(whole):
            for key in (names.IMAGES, names.LABELS):
                joined = np.concatenate([share[step][key] for share in shares])
                np.testing.assert_array_equal(joined, batch[key])


def test_a_worker_reads_nothing_but_its_share(monkeypatch):
    images, read = images_of(8), []
    crop = images.crop
    monkeypatch.setattr(
        images, "crop", lambda i, *rest: read.append(i) or crop(i, *rest)
    )
    for i in range(2):
        list(
            pipeline.train_batches(
                images, crop_size_wh=(32, 24), batch_size=4, seed=0, epoch=0,
                worker=(i, 2),
            )
        )  # fmt: skip
        assert len(read) == 4 * (i + 1)
    assert sorted(read) == list(range(8))


def test_evaluation_takes_every_centre_once_and_fills_the_last_batch_up():
    images = images_of(5, kind=pipeline.ResizedImages)
    batches = list(
        pipeline.evaluation_batches(images, crop_size_wh=(32, 24), batch_size=2)
    )
    assert [len(b[names.INDEX]) for b in batches] == [2, 2, 2]
    index = np.concatenate([b[names.INDEX] for b in batches])
    np.testing.assert_array_equal(index, [*range(5), names.PADDING])
    labels = np.concatenate([b[names.LABELS] for b in batches])
    np.testing.assert_array_equal(labels[:5], [0, 1, 2, 0, 1])
    assert not batches[2][names.IMAGES][1].numpy().any()
    corner = batches[2][names.IMAGES][0, 0, 0].numpy()
    # margins (40 - 32) / 2 = 4 columns and (32 - 24) / 2 = 4 rows; image 4
    np.testing.assert_array_equal(corner, [4, 4, 4])


def test_an_unreadable_file_keeps_its_name_through_the_pipeline():
    def fail():
        raise DataError("a/b.jpg: not a readable image (truncated)")

    records = [Record(image_id="a/b.jpg", label=0, image=DrawnImage(fail, (9, 9)))]
    images = pipeline.ResizedImages(records, resize_size_wh=(32, 32), keep=True)
    batches = pipeline.evaluation_batches(images, crop_size_wh=(32, 32), batch_size=1)
    with pytest.raises(DataError, match="a/b.jpg"), pipeline.reading(images):
        list(batches)


def test_fewer_images_than_a_batch():
    with pytest.raises(DataError, match="data.batch_size is 8, but there are 5 images"):
        pipeline.num_batches(images_of(5), 8)

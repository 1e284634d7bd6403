"""Order, augmentation, resuming and bad files of the input pipeline."""

import numpy as np
import pytest

from bas_tf import names
from bas_tf.data import pipeline
from bas_tf.data.records import Record
from bas_tf.errors import DataError


def images_of(count, *, keep=True, size=(40, 32)):
    """Record i is a ramp whose blue channel is i."""

    def make(i):
        ramp = np.mgrid[0 : size[1], 0 : size[0]].astype(np.uint8)
        return np.stack([ramp[0], ramp[1], np.full_like(ramp[0], i)], axis=-1)

    records = [
        Record(image_id=str(i), label=i % 3, load_image=lambda i=i: make(i))
        for i in range(count)
    ]
    return pipeline.ResizedImages(records, resize_size_wh=size, keep=keep)


def batches_of(epoch, *, seed=0, keep=True):
    batches = pipeline.train_batches(
        images_of(11, keep=keep), crop_size_wh=(32, 24), batch_size=4, seed=seed,
        epoch=epoch,
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
    first, again = batches_of(3, keep=True), batches_of(3, keep=False)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a[names.IMAGES], b[names.IMAGES])
    for other in (batches_of(4), batches_of(3, seed=1)):
        assert (first[0][names.IMAGES] != other[0][names.IMAGES]).any()


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


def test_evaluation_takes_every_centre_once_and_keeps_the_partial_batch():
    batches = list(
        pipeline.evaluation_batches(images_of(5), crop_size_wh=(32, 24), batch_size=2)
    )
    assert [len(b[names.INDEX]) for b in batches] == [2, 2, 1]
    index = np.concatenate([b[names.INDEX] for b in batches])
    np.testing.assert_array_equal(index, range(5))
    corner = batches[2][names.IMAGES][0, 0, 0].numpy()
    # margins (40 - 32) / 2 = 4 columns and (32 - 24) / 2 = 4 rows; image 4
    np.testing.assert_array_equal(corner, [4, 4, 4])


def test_an_unreadable_file_keeps_its_name_through_the_pipeline():
    def fail():
        raise DataError("a/b.jpg: not a readable image (truncated)")

    records = [Record(image_id="a/b.jpg", label=0, load_image=fail)]
    images = pipeline.ResizedImages(records, resize_size_wh=(32, 32), keep=True)
    batches = pipeline.evaluation_batches(images, crop_size_wh=(32, 32), batch_size=1)
    with pytest.raises(DataError, match="a/b.jpg"), pipeline.reading(images):
        list(batches)


def test_fewer_images_than_a_batch():
    with pytest.raises(DataError, match="data.batch_size is 8, but there are 5 images"):
        pipeline.num_batches(images_of(5), 8)

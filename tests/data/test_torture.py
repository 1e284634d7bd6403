"""Every file of the torture folder gives the right pixels and box, or is refused."""

import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageCms

from bas_tf.data import bad_images, decode
from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import DataError
from tests.data import torture

READABLE, REFUSED = torture.readable(), torture.refused()
# What Pillow says next to its exception, or next to the pixels of a photo.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return torture.write_folder(tmp_path_factory.mktemp("torture"))


def far_from_edges(pixels: np.ndarray, edge: int) -> np.ndarray:
    """Where all pixels within `edge` have one colour: bool [h, w]."""
    window = np.ones([2 * edge + 1] * 2, np.uint8)
    return (cv2.dilate(pixels, window) == cv2.erode(pixels, window)).all(axis=-1)


@pytest.mark.parametrize("name", READABLE)
def test_the_right_pixels_and_the_right_box(folder, name):
    case = READABLE[name]
    image = decode.decode_image(folder / "val" / "thing" / name)
    assert (image.shape, image.dtype) == (case.pixels.shape, np.uint8)
    compared = far_from_edges(case.pixels, case.edge)
    assert compared.mean() > 0.8
    difference = np.abs(image.astype(int) - case.pixels)[compared]
    assert difference.max() <= case.tolerance
    found = torture.blob_box(image, case.box)
    assert np.abs(found - case.box).max() <= (1 if case.tolerance else 0)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line_that_names_the_file(folder, name):
    path = folder / "val" / "thing" / name
    with pytest.raises(DataError, match=REFUSED[name][1]) as caught:
        decode.decode_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_the_folder_is_read_or_listed_nothing_in_between(folder, tmp_path):
    source = bad_images.guard_source(
        FolderSource(root=str(folder), class_names=["thing"]),
        on_bad_image="skip",
        folder=tmp_path,
    )
    records = source.records("val")
    assert [r.image_id for r in records] == [f"val/thing/{n}" for n in sorted(READABLE)]
    for record in records:
        (box,) = record.boxes_original
        found = torture.blob_box(record.load_image(), tuple(box.astype(int)))
        assert np.abs(found - box).max() <= 1
    lines = (tmp_path / "skipped_images_val.txt").read_text().splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        f"{folder}/val/thing/{name}" for name in sorted(REFUSED)
    ]


@pytest.mark.parametrize("name", ["cmyk.jpg", "ycck.jpg"])
def test_another_decoder_sees_the_same_inks(name):
    """Pillow wrote the files too; TensorFlow did not."""
    case = READABLE[name]
    theirs = tf.io.decode_jpeg(case.content, channels=3).numpy().astype(int)
    assert np.abs(theirs - case.pixels).max() <= case.tolerance


def test_the_ignored_profile_would_have_changed_the_pixels():
    image = Image.open(io.BytesIO(READABLE["profile.png"].content))
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    seen = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))
    assert np.abs(np.asarray(seen).astype(int) - torture.scene()).max() > 50


@pytest.mark.parametrize(
    ("size", "pixels"),
    [((10_000, 8_001), 80_010_000), ((10_000, 12_000), 120_000_000)],
)
def test_a_bomb_is_named_with_its_pixels_and_the_limit(size, pixels):
    """Over the limit; over the number at which Pillow warns, too."""
    with pytest.raises(DataError) as caught:
        decode.decode_picture(torture.png_header(*size), "bomb.png")
    assert str(caught.value) == (
        f"bomb.png: {pixels} pixels are more than the 80000000 that are decoded; "
        "scale it down"
    )


def test_up_to_the_limit_is_decoded(monkeypatch):
    content = torture.encode(torture.scene(), "PNG")  # 80 x 64 = 5120 pixels
    monkeypatch.setattr(decode, "MAX_PIXELS", 5120)
    np.testing.assert_array_equal(decode.decode_picture(content, "a"), torture.scene())
    monkeypatch.setattr(decode, "MAX_PIXELS", 5119)
    with pytest.raises(DataError, match="a: 5120 pixels are more than the 5119"):
        decode.decode_picture(content, "a")


@pytest.mark.parametrize(
    "name",
    [
        "plain.jpg", "subsampled.jpg", "progressive.jpg", "cmyk.jpg", "thumbnail.jpg",
        "plain.png", "palette.png", "grey16.png", "one_bit.png", "rgba.png",
        "plain.bmp", "rgba.webp",
    ],
)  # fmt: skip
def test_no_beginning_of_a_file_gives_pixels(name):
    content = READABLE[name].content
    lengths = range(0, len(content), max(1, len(content) // 400))
    for length in {*lengths, *range(len(content) - 20, len(content))}:
        with pytest.raises(DataError):
            decode.decode_picture(content[:length], f"{length} of {len(content)} bytes")

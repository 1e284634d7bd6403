"""Every signature, run as a server runs it, next to the Keras model one by one."""

import io
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from bas_tf import names
from bas_tf.export.artifacts import decoding
from bas_tf.metrics.confidence import confidence
from tests.export import encoded_images
from tests.export.encoded_images import encode, smooth

pytestmark = pytest.mark.slow

SESSION = Path(__file__).with_name("server_session.py")
UNKNOWN = 99  # a class that the model does not have
GIVEN = 3  # one that it has


def strings(values) -> np.ndarray:
    return np.array(values, object)


def photos(count: int) -> list[bytes]:
    """JPEG and PNG files of many sizes."""
    sizes = [(64, 64), (90, 70), (64, 200), (31, 33), (300, 40), (7, 9), (128, 64)]
    kinds = ["JPEG", "PNG"]
    return [encode(smooth(sizes[i % 7], seed=i), kinds[i % 2]) for i in range(count)]


def of_files(images, **inputs) -> dict[str, np.ndarray]:
    return {names.IMAGE_BYTES: strings(images), **inputs}


MIXED = [*photos(3), b"no image", *photos(7)[3:]]
READABLE = [*photos(3), *photos(1), *photos(7)[3:]]  # the others at the same places
TOO_LARGE = encoded_images.png_of_size(30_000, 30_000)
PIXELS = np.random.default_rng(0).integers(0, 256, [3, 50, 81, 3], np.uint8)
REQUESTS = {
    **{
        f"{count} of {name}": (name, of_files(photos(count)))
        for count in (1, 3, 8)
        for name in (names.SIGNATURE, names.HEATMAP_SIGNATURE)
    },
    **{
        f"{count} of {names.CLASS_SIGNATURE}": (
            names.CLASS_SIGNATURE,
            of_files(photos(count), class_ids=np.full([count], GIVEN, np.int32)),
        )
        for count in (1, 3, 8)
    },
    "one unreadable": (names.HEATMAP_SIGNATURE, of_files(MIXED)),
    "all readable": (names.HEATMAP_SIGNATURE, of_files(READABLE)),
    "all unreadable": (
        names.SIGNATURE,
        of_files(list(encoded_images.unreadable().values())),
    ),
    "too large": (names.SIGNATURE, of_files([TOO_LARGE])),
    "unknown classes": (
        names.CLASS_SIGNATURE,
        of_files(
            [*photos(3), b"no image"],
            class_ids=np.array([UNKNOWN, GIVEN, -1, GIVEN], np.int32),
        ),
    ),
    "pixels": (names.TENSOR_SIGNATURE, {names.IMAGES: PIXELS}),
}
WRONG = {  # a request, and what its INVALID_ARGUMENT says
    "no images": (
        (names.SIGNATURE, of_files([])),
        "image_bytes: an empty batch",
    ),
    "a matrix of images": (
        (names.SIGNATURE, of_files([[photos(1)[0]]])),
        "[1,1] is not compatible with expected shape [?]",
    ),
    "a class for one of two": (
        (names.CLASS_SIGNATURE, of_files(photos(2), class_ids=np.array([0], np.int32))),
        "class_ids: one for each of image_bytes",
    ),
    "two channels": (
        (names.TENSOR_SIGNATURE, {names.IMAGES: PIXELS[..., :2]}),
        "[3,50,81,2] is not compatible with expected shape [?,?,?,3]",
    ),
    "no batch": (
        (names.TENSOR_SIGNATURE, {names.IMAGES: PIXELS[0]}),
        "[50,81,3] is not compatible with expected shape",
    ),
    "no pixels": (
        (names.TENSOR_SIGNATURE, {names.IMAGES: PIXELS[:, :0]}),
        "images: empty",
    ),
    "a long side": (
        (names.TENSOR_SIGNATURE, {names.IMAGES: np.zeros([1, 1, 20_001, 3], np.uint8)}),
        "a side has more than 20000 pixels",
    ),
    "no tensors": (
        (names.TENSOR_SIGNATURE, {names.IMAGES: PIXELS[:0]}),
        "images: empty",
    ),
}


@pytest.fixture(scope="module")
def answers(demo_workdir, tmp_path_factory) -> dict[str, dict | str]:
    """{request: outputs, or the error}, of a session in its own process."""
    folder = tmp_path_factory.mktemp("session")
    requests = REQUESTS | {name: request for name, (request, _) in WRONG.items()}
    (folder / "requests").write_bytes(pickle.dumps(list(requests.values())))
    done = subprocess.run(
        [sys.executable, str(SESSION), str(demo_workdir / "export" / "saved_model"),
         str(folder / "requests"), str(folder / "answers")],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = pickle.loads((folder / "answers").read_bytes())
    return dict(zip(requests, found, strict=True))


def resized(content: bytes) -> np.ndarray:
    """A file's pixels in the network's size, by TensorFlow in eager mode."""
    image = tf.io.decode_image(content, channels=3, expand_animations=False)
    if content.startswith(b"\xff\xd8"):
        image = tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE")
    return decoding.resize(image[tf.newaxis], (64, 64)).numpy()


def size_of(content: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(content)) as image:
        return image.size


def assert_row_equals_keras(row: dict, expected: dict, size_wh, runner) -> None:
    """An answer's row next to the Keras model's, of one image of the network's size."""
    scores = expected[names.SCORES][0]
    best = np.argsort(-scores)[:5]
    np.testing.assert_array_equal(row[names.CLASS_IDS], best)
    np.testing.assert_allclose(row[names.SCORES], scores[best], atol=1e-5)
    found = [name.decode() for name in row[names.CLASS_NAMES]]
    assert found == [runner.class_names[i] for i in best]
    width, height = row[names.IMAGE_SIZE]
    assert (width, height) == size_wh
    scale = np.array([width, height, width, height]) / 64
    np.testing.assert_allclose(
        row[names.BOXES], expected[names.BOXES][0] * scale, rtol=1e-5
    )
    assert row[names.DEGENERATE] == expected[names.DEGENERATE][0]
    trust = confidence(
        scores,
        expected[names.LOCALIZATION_MAP][0],
        score_threshold=runner.score_threshold,
    )
    np.testing.assert_allclose(row[names.CONFIDENCE], trust, atol=1e-3)


def rows_of(outputs: dict) -> list[dict]:
    count = len(outputs[names.BOXES])
    return [{key: value[i] for key, value in outputs.items()} for i in range(count)]


@pytest.mark.parametrize("signature", [names.SIGNATURE, names.HEATMAP_SIGNATURE])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_batch_of_files_of_many_sizes(answers, keras_runner, signature, count):
    outputs = answers[f"{count} of {signature}"]
    assert (outputs[names.STATUS] == decoding.GOOD).all()
    for content, row in zip(photos(count), rows_of(outputs), strict=True):
        expected = keras_runner.predict_fn(resized(content))
        assert_row_equals_keras(row, expected, size_of(content), keras_runner)
        if signature == names.HEATMAP_SIGNATURE:
            np.testing.assert_allclose(
                row[names.LOCALIZATION_MAP][..., 0],
                expected[names.LOCALIZATION_MAP][0],
                atol=1e-5,
            )


@pytest.mark.parametrize("count", [1, 3, 8])
def test_the_box_of_a_given_class(answers, keras_runner, count):
    outputs = answers[f"{count} of {names.CLASS_SIGNATURE}"]
    for content, row in zip(photos(count), rows_of(outputs), strict=True):
        found = keras_runner.label_fn(resized(content), np.array([GIVEN]))
        expected = found | {
            names.LOCALIZATION_MAP: found[names.LABEL_MAP],
            names.BOXES: found[names.LABEL_BOXES],
            names.DEGENERATE: found[names.LABEL_DEGENERATE],
        }
        assert_row_equals_keras(row, expected, size_of(content), keras_runner)


def test_the_heatmap_is_the_normalised_map_as_a_grey_picture(answers):
    outputs = answers[f"8 of {names.HEATMAP_SIGNATURE}"]
    for row in rows_of(outputs):
        with Image.open(io.BytesIO(row[names.HEATMAP_BYTES])) as picture:
            assert (picture.format, picture.mode, picture.size) == (
                "PNG", "L", (64, 64),
            )  # fmt: skip
            grey = np.asarray(picture).astype(int)
        values = row[names.LOCALIZATION_MAP]
        low, high = values.min(), values.max()
        expected = tf.image.resize((values - low) / (high - low), (64, 64))
        np.testing.assert_allclose(grey, 255 * expected[..., 0], atol=1)


def test_an_unreadable_file_leaves_the_other_seven_what_they_are(answers):
    mixed, good = answers["one unreadable"], answers["all readable"]
    others = [0, 1, 2, 4, 5, 6, 7]
    for key, value in mixed.items():
        if key in (names.CLASS_NAMES, names.HEATMAP_BYTES, names.CLASS_IDS):
            assert value[others].tolist() == good[key][others].tolist(), key
        else:
            np.testing.assert_allclose(
                value[others].astype(float), good[key][others], atol=1e-4, err_msg=key
            )
    assert_blank(rows_of(mixed)[3], decoding.UNREADABLE)
    assert mixed[names.HEATMAP_BYTES][3] == b""
    assert not mixed[names.LOCALIZATION_MAP][3].any()


def assert_blank(row: dict, status: int) -> None:
    assert row[names.STATUS] == status
    assert (row[names.CLASS_IDS] == -1).all()
    assert (row[names.CLASS_NAMES] == b"").all()
    assert not row[names.SCORES].any() and not row[names.BOXES].any()
    assert row[names.DEGENERATE]


def test_rows_that_cannot_be_decoded(answers):
    rows = rows_of(answers["all unreadable"])
    assert len(rows) == len(encoded_images.unreadable())
    for row in rows:
        assert_blank(row, decoding.UNREADABLE)
        assert row[names.IMAGE_SIZE].tolist() == [0, 0]
    (row,) = rows_of(answers["too large"])
    assert_blank(row, decoding.TOO_LARGE)
    assert row[names.IMAGE_SIZE].tolist() == [30_000, 30_000]


def test_classes_that_the_model_does_not_have(answers):
    rows = rows_of(answers["unknown classes"])
    for row in (rows[0], rows[2]):
        assert_blank(row, decoding.UNKNOWN_CLASS)
    assert_blank(rows[3], decoding.UNREADABLE)
    good = answers[f"3 of {names.CLASS_SIGNATURE}"]
    assert rows[1][names.STATUS] == decoding.GOOD
    np.testing.assert_allclose(rows[1][names.BOXES], good[names.BOXES][1], rtol=1e-5)


def test_a_batch_of_pixels(answers, keras_runner):
    outputs = answers["pixels"]
    assert names.STATUS not in outputs
    for image, row in zip(PIXELS, rows_of(outputs), strict=True):
        small = decoding.resize(image[np.newaxis], (64, 64)).numpy()
        expected = keras_runner.predict_fn(small)
        assert_row_equals_keras(row, expected, (81, 50), keras_runner)


@pytest.mark.parametrize("name", WRONG)
def test_a_request_that_makes_no_sense_is_refused_with_a_reason(answers, name):
    answer = answers[name]
    assert isinstance(answer, str), answer
    assert answer.startswith("INVALID_ARGUMENT: ")
    assert WRONG[name][1] in answer

"""2,000 mutated JPEG and PNG files: pixels or a DataError, soon, and never a guess.

The files are decoded in a separate process: one that crashes or hangs there fails
the test and names its seed.
"""

import functools
import io
import multiprocessing
import warnings

import numpy as np
import pytest
from PIL import Image

from bas_tf.data import decode
from bas_tf.errors import DataError
from tests.data import torture

FILES = 2000
SECONDS_A_FILE = 5
MUTATIONS = ("flip_bits", "truncate", "splice", "erase", "repeat", "insert")


@functools.cache
def originals() -> list[bytes]:
    """Small files of each way of coding, JPEG and PNG by turns."""
    cases = torture.readable()
    jpegs = ("plain", "subsampled", "progressive", "grey", "cmyk", "ycck", "thumbnail")
    pngs = ("plain", "palette", "grey16", "one_bit", "rgba", "colour16", "keyed")
    noise = np.random.default_rng(0).integers(0, 256, [24, 32, 3], np.uint8)
    texture = [torture.encode(noise, file_format) for file_format in ("JPEG", "PNG")]
    pairs = zip(jpegs, pngs, strict=True)
    names = [name for pair in pairs for name in (f"{pair[0]}.jpg", f"{pair[1]}.png")]
    return [*(cases[name].content for name in names), *texture]


def mutate(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """One to three mutations at random places, the header as likely as the rest."""
    for kind in rng.choice(MUTATIONS, size=rng.integers(1, 4)):
        in_header = rng.random() < 0.5
        limit = min(len(content), 700) if in_header else len(content)
        start = int(rng.integers(limit)) if limit else 0
        length = int(rng.integers(1, 64))
        tail = content[start + length :]
        middle = {
            "flip_bits": _flipped(content[start : start + length], rng),
            "truncate": b"",
            "splice": other[start : start + int(rng.integers(1, 300))],
            "erase": bytes(length),
            "repeat": content[start : start + length] * 2,
            "insert": rng.bytes(length),
        }[kind]
        content = content[:start] + middle + (b"" if kind == "truncate" else tail)
    return content


def _flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """A few single bits, or every one of them, changed."""
    mask = rng.integers(0, 256, len(content), np.uint8)
    if rng.random() < 0.7:
        mask *= rng.random(len(content)) < 0.05
    return (np.frombuffer(content, np.uint8) ^ mask).tobytes()


def mutated(seed: int) -> tuple[bytes, bytes]:
    """(file, the original that it was made of)."""
    rng, files = np.random.default_rng(seed), originals()
    original = files[seed % len(files)]
    other = files[int(rng.integers(len(files)))]
    return mutate(original, other, rng), original


def verdict(seed: int) -> str:
    """What became of a mutated file; runs in the child process."""
    warnings.simplefilter("ignore")  # Pillow warns of odd EXIF next to the pixels
    content, original = mutated(seed)
    try:
        image = np.asarray(decode.decode_picture(content, f"seed {seed}"))
    except DataError as error:
        assert str(error).startswith(f"seed {seed}: ") and "\n" not in str(error)
        return "refused"
    if content == original:
        return "unchanged"
    return _evaluate_accepted(content, image)


def _evaluate_accepted(content: bytes, image: np.ndarray) -> str:
    """ "accepted", or what is wrong with having accepted it."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        return f"wrong: {image.dtype} {image.shape}"
    try:
        with Image.open(io.BytesIO(content)) as strict:
            strict.load()
            stored = strict.size
        with Image.open(io.BytesIO(content)) as strict:
            strict.verify()
            file_format = strict.format
    except Exception as error:
        return f"wrong: Pillow refuses it ({error})"
    if image.shape[1::-1] not in (stored, stored[::-1]):
        return f"wrong: {image.shape} of {stored}"
    return f"accepted {file_format}"


@pytest.mark.slow
def test_two_thousand_mutated_files():
    counts: dict[str, int] = {}
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply_async(verdict, [0]).get(timeout=120)  # the child's imports
        for seed in range(FILES):
            try:
                found = pool.apply_async(verdict, [seed]).get(timeout=SECONDS_A_FILE)
            except multiprocessing.TimeoutError:
                pytest.fail(f"seed {seed}: crashed, or hung {SECONDS_A_FILE} s")
            assert not found.startswith("wrong"), f"seed {seed}: {found}"
            counts[found] = counts.get(found, 0) + 1
    # Both ways out are taken often enough for the test to mean something.
    assert sum(counts.values()) == FILES
    assert counts["refused"] > FILES / 2
    assert counts["accepted JPEG"] > FILES / 50

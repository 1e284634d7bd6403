"""The page's confidence is that of `bas_tf.metrics.confidence`."""

import json

import numpy as np

from bas_tf.metrics.confidence import (
    FOUND_CONFIDENCE,
    confidence,
    is_found,
    object_scores,
)
from bas_tf.names import NO_OBJECT

CASES = [(0.8, 0.3), (1.0001, 0.5), (0.4, 0.0), (1.0, 0.95)]  # score and threshold
RUN = """
import { readFileSync } from "node:fs";
import { confidence, FOUND_CONFIDENCE } from "./confidence.mjs";
const cases = JSON.parse(readFileSync(`${process.argv[2]}/cases.json`));
const bytes = readFileSync(`${process.argv[2]}/maps.f32`);
const floats = new Float32Array(Uint8Array.from(bytes).buffer);
const found = cases.map(([score, threshold, start, height, width]) => {
  const values = Array.from(floats.subarray(start, start + height * width));
  return confidence(score, { values, width, height }, threshold);
});
console.log(JSON.stringify([FOUND_CONFIDENCE, found]));
"""

RUN_SCORES = """
import { isFound, objectScore } from "./confidence.mjs";
const cases = JSON.parse(process.argv[3]);
const found = cases.map((classes) => {
  const score = objectScore(classes);
  return [score, isFound(classes[0].name, score)];
});
console.log(JSON.stringify(found));
"""


def make_maps() -> list[np.ndarray]:
    """Noise, blobs, few levels (plateaus and ties), and degenerate ones."""
    rng = np.random.default_rng(0)
    sizes = [(20, 20), (8, 8), (7, 13), (28, 9), (2, 5)]
    noise = [rng.normal(size=size) for size in sizes for _ in range(4)]
    levels = [rng.integers(0, n, (9, 9)) for n in (2, 3, 5, 11) for _ in range(8)]
    squares = np.square(np.arange(-7, 13) / 10)
    blobs = [np.exp(-width * np.add.outer(squares, squares)) for width in (1, 5, 20)]
    twins = np.zeros([10, 10])
    twins[[2, 2, 7], [7, 1, 4]] = 1  # of one size: the first counts
    touching = np.kron(np.eye(2), np.ones([3, 3]))  # at a corner
    flat, infinite, undefined = np.ones([3, 4]), np.eye(4), np.eye(4)
    infinite[0, 1], undefined[2, 1] = np.inf, np.nan
    return [*noise, *levels, *blobs, twins, touching, flat, infinite, undefined]


def test_equals_pythons(run_compiled, tmp_path):
    maps = [score_map.astype(np.float32) for score_map in make_maps()]
    starts = np.cumsum([0, *(score_map.size for score_map in maps)]).tolist()
    cases, expected = [], []
    for start, score_map in zip(starts, maps, strict=False):
        for score, threshold in CASES:
            cases.append((score, threshold, start, *score_map.shape))
            scores = np.array([0.0, score])
            expected.append(confidence(scores, score_map, score_threshold=threshold))
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    (tmp_path / "maps.f32").write_bytes(b"".join(map(np.ndarray.tobytes, maps)))
    least, found = json.loads(run_compiled("confidence", RUN, tmp_path))
    assert least == FOUND_CONFIDENCE
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_photo_without_an_object_is_not_found(run_compiled, tmp_path):
    cases = [
        {NO_OBJECT: 0.9, "cat": 0.1}, {NO_OBJECT: 0.5, "cat": 0.5}, {NO_OBJECT: 1.0},
        {"cat": 0.6, NO_OBJECT: 0.4}, {"cat": 0.4, "dog": 0.3, NO_OBJECT: 0.3},
    ]  # fmt: skip
    expected = []
    for case in cases:
        score = object_scores(np.array([*case.values()]), [*case]).max(initial=0)
        expected.append([score, is_found(next(iter(case)), score)])
    classes = [[{"name": n, "score": s} for n, s in case.items()] for case in cases]
    found = run_compiled("confidence", RUN_SCORES, tmp_path, json.dumps(classes))
    assert json.loads(found) == expected

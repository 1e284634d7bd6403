"""The page's resizing is Pillow's, exactly."""

import numpy as np
import pytest

from bas_tf.data import preprocess

# Shrunk and enlarged, by whole and by odd factors, thin, and one pixel.
SIZES = [  # width and height, wanted width and height
    ((640, 480), (64, 64)),
    ((333, 517), (160, 160)),
    ((1, 1), (64, 64)),
    ((40, 30), (96, 64)),
    ((3, 700), (64, 32)),
    ((64, 64), (64, 64)),
    ((100, 64), (64, 64)),
    ((1500, 900), (224, 224)),  # several strips of rows
    ((900, 1900), (224, 224)),  # several strips of columns, height first
    ((480, 892), (64, 64)),  # where Pillow still takes the width first
    ((480, 897), (64, 64)),  # and where no longer
    ((40, 50), (64, 32)),
]
RUN = """
import { readFileSync, writeFileSync } from "node:fs";
import { resize } from "./resize.mjs";
const [folder, ...cases] = process.argv.slice(2);
for (const name of cases) {
  const [width, height, wantedWidth, wantedHeight] = name.split("_").map(Number);
  const rgba = new Uint8ClampedArray(readFileSync(`${folder}/${name}.rgba`));
  const read = (left, top, w, h) => {
    const part = new Uint8ClampedArray(w * h * 4);
    for (let y = 0; y < h; y++) {
      const start = ((top + y) * width + left) * 4;
      part.set(rgba.subarray(start, start + w * 4), y * w * 4);
    }
    return part;
  };
  const rgb = resize(read, width, height, wantedWidth, wantedHeight);
  writeFileSync(`${folder}/${name}.rgb`, rgb);
}
"""


@pytest.fixture(scope="module")
def resized(run_compiled, tmp_path_factory) -> dict:
    """{sizes: (random pixels, those resized by the page's own code in Node.js)}."""
    folder = tmp_path_factory.mktemp("resize")
    rng, pixels, names = np.random.default_rng(0), {}, {}
    for sizes in SIZES:
        (width, height), wanted = sizes
        names[sizes] = "_".join(map(str, (width, height, *wanted)))
        pixels[sizes] = rng.integers(0, 256, [height, width, 4]).astype(np.uint8)
        (folder / f"{names[sizes]}.rgba").write_bytes(pixels[sizes].tobytes())
    run_compiled("resize", RUN, folder, *names.values())
    found = {}
    for sizes, name in names.items():
        rgb = np.frombuffer((folder / f"{name}.rgb").read_bytes(), np.uint8)
        found[sizes] = (pixels[sizes][..., :3], rgb.reshape(*sizes[1][::-1], 3))
    return found


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_equals_the_python_runners_resizing(resized, sizes):
    original, ours = resized[sizes]
    expected = preprocess.resize(np.ascontiguousarray(original), sizes[1])
    np.testing.assert_array_equal(ours, expected)

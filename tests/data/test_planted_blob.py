"""A bright block in a photo comes back where it is: from folder to original pixels."""

import numpy as np
import pytest

from bas_tf.data import pipeline
from bas_tf.data.sources.folder import FolderSource
from bas_tf.geometry.components import box_from_map
from bas_tf.geometry.frames import CropFrame
from tests.data import tiny_sets

SIZE_WH, STRIDE = (320, 200), 8


def plant(root, box) -> None:
    x0, y0, x1, y1 = box
    image = np.full([SIZE_WH[1], SIZE_WH[0], 3], 20, np.uint8)
    image[y0:y1, x0:x1] = 240
    tiny_sets.save(root / "train/blob/0.png", image)
    tiny_sets.write_csv(root, {"train/blob/0.png": [box]})


def brightness_map(crop: np.ndarray) -> np.ndarray:
    """The mean of each cell of 8 x 8 pixels: a map as a trunk of stride 8 gives."""
    height, width = (side // STRIDE for side in crop.shape[:2])
    cells = crop.reshape(height, STRIDE, width, STRIDE, 3).astype(np.float32)
    return cells.mean(axis=(1, 3, 4))


@pytest.mark.parametrize(
    ("resize_wh", "crop_wh", "box"),
    [
        # Edges on cells of the map. 160 wide is half of 320, cut by 16 on each side:
        # 112 / 2 - 16 = 40 and 192 / 2 - 16 = 80; 160 high is 0.8 of 200:
        # 60 * 0.8 - 16 = 32 and 110 * 0.8 - 16 = 72.
        ((160, 160), (128, 128), (112, 60, 192, 110)),
        # 80 * 0.8 - 16 = 48, 180 * 0.8 - 16 = 128; 50 * 1.28 - 16 = 48, 125: 144.
        ((256, 256), (224, 224), (80, 50, 180, 125)),
        # 96 - 32 = 64, 200 - 32 = 168; 60 * 1.2 - 24 = 48, 140 * 1.2 - 24 = 144.
        ((320, 240), (256, 192), (96, 60, 200, 140)),
    ],
    ids=["128", "224", "256x192"],
)
def test_a_planted_blob_is_boxed_within_a_pixel(tmp_path, resize_wh, crop_wh, box):
    plant(tmp_path, box)
    records = FolderSource(root=str(tmp_path)).records("train")
    images = pipeline.ResizedImages(records, resize_size_wh=resize_wh, keep=False)
    crop = pipeline.centre_crops(images, [0], crop_size_wh=crop_wh)[0]
    found, degenerate = box_from_map(
        brightness_map(crop), crop_size_wh=crop_wh, score_threshold=0.5
    )
    assert not degenerate
    frame = CropFrame(SIZE_WH, resize_wh, crop_wh)
    original = frame.crop_to_original([found])[0]
    np.testing.assert_allclose(original, box, atol=1)
    np.testing.assert_array_equal(records[0].boxes_original, [box])

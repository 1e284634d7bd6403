"""The evaluation benchmark: both sides give the same boxes; its line by hand."""

import numpy as np
import pytest

from benchmarks.evaluation_speed import data_set, sides
from benchmarks.method_speed import ours


def test_a_line_by_hand():
    row = {
        "backbone": "vgg16", "classes": 1000, "photos": 8,
        "seconds": {"torch": [8, 16, 8], "ours": [4, 4, 2], "bfloat16": [2, 2, 2]},
        "equal_boxes": {"ours": 8, "bfloat16": 7},
    }  # fmt: skip
    assert sides.describe(row) == (
        "vgg16, 1000 classes: images per second torch 1.00, ours 2.00, bfloat16 4.00; "
        "over torch ours 4.00 x (2.00 to 4.00, 8 of 8 boxes equal), "
        "bfloat16 4.00 x (4.00 to 8.00, 7 of 8 boxes equal)"
    )


def test_photos_are_filed_by_class_with_their_boxes(tmp_path):
    paths = data_set.file_photos(tmp_path, 3, lambda image: image.shape[0] % 7)
    assert [p.relative_to(tmp_path).as_posix() for p in paths] == [
        f"val/00004/{i}.jpg" for i in range(3)
    ]
    box = data_set.true_box(tmp_path, paths[1])
    assert 0 <= box[0] < box[2] <= data_set.CROP
    assert 0 <= box[1] < box[3] <= data_set.CROP


@pytest.mark.slow
def test_both_sides_find_the_same_boxes(tmp_path, monkeypatch):
    """And evaluate the same: the loop's IoU and classes are those of metrics.json."""
    pytest.importorskip("torch", reason="torch is not installed (make torch)")
    from benchmarks.evaluation_speed import our_evaluation, torch_loop

    monkeypatch.setattr(ours, "use_threads", lambda threads: None)  # too late for it
    for module, crop, resized in (
        (data_set, "CROP", "RESIZE"),
        (torch_loop, "CROP", "SIZE"),
    ):
        monkeypatch.setattr(module, crop, 64)
        monkeypatch.setattr(module, resized, (80, 80))
    settings = {"backbone": "mobilenet_v1", "classes": 200, "threads": 1, "photos": 3}
    theirs = torch_loop.build(folder=str(tmp_path), **settings)["evaluate"]
    found = theirs()
    for precision in ("float32", "mixed_bfloat16"):
        evaluator = our_evaluation.build(
            folder=str(tmp_path), precision=precision, **settings
        )
        metrics = evaluator["evaluate"]().document["metrics"]
        boxes = np.load(tmp_path / f"{precision}.npy")
        np.testing.assert_array_equal(boxes, np.load(tmp_path / "torch_loop.npy"))
        located, among5 = np.mean(found, axis=0)
        assert metrics["gt_known_loc"] == pytest.approx(located)
        assert metrics["top5_acc"] == pytest.approx(among5)
    assert len(np.unique(boxes, axis=0)) > 1

"""The recorded map of the label, evaluated by bas_tf.evaluate on photos.

The recorded images are rounded to photos of 8 bits, which moves a box by a pixel or so.
The true box of a photo is that of its recorded map, so the label's map is right on all.
No label is the predicted class, whose boxes lie elsewhere.
"""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from bas_tf.configs.paper import cub_mobilenet_v1
from bas_tf.geometry.components import box_from_map
from bas_tf.jobs import experiment, resuming
from bas_tf.training.checkpoint import Checkpointer
from tests.commands import exit_code_in_process
from tests.golden import parity_runs, weights

pytestmark = pytest.mark.slow

THRESHOLD, MARGIN = 0.8, 16  # MARGIN: (256 - 224) / 2, cut by the centre crop
RECORDED = next(m for m in parity_runs.MODELS if m.backbone == "mobilenet_v1")
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CLASSES = tuple(f"{label:03d}" for label in range(parity_runs.CLASSES))


@pytest.fixture(scope="module")
def evaluated(shared_dir, tmp_path_factory):
    """(labels, workdir, folder of photos)."""
    folder = tmp_path_factory.mktemp("label_map")
    truth = weights.golden(shared_dir, RECORDED.model)
    maps, labels = truth["f64/eval/x_saliency"][:, 0], truth["labels"]
    assert not (labels == truth["f64/eval/top5"][:, 0]).any()
    images = weights.images(shared_dir).transpose(0, 2, 3, 1) * STD + MEAN
    photos = np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
    lines = ["image,x_min,y_min,x_max,y_max"]
    for label, photo, score_map in zip(labels, photos, maps, strict=True):
        path = folder / "photos" / "val" / CLASSES[label] / "0.png"
        path.parent.mkdir(parents=True)
        margin = ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
        Image.fromarray(np.pad(photo, margin)).save(path)
        box, _ = box_from_map(
            score_map, crop_size_wh=(224, 224), score_threshold=THRESHOLD
        )
        corners = ",".join(f"{side + MARGIN:g}" for side in box)
        lines.append(f"val/{CLASSES[label]}/0.png,{corners}")
    (folder / "photos" / "boxes.csv").write_text("\n".join(lines) + "\n")

    config = cub_mobilenet_v1.get_config()
    config.model.variant, config.model.top_k = "paper", 1
    config.model.weights = str(parity_runs.import_by_rule(RECORDED, shared_dir, folder))
    workdir = folder / "workdir"
    resuming.write_experiment(workdir, config, CLASSES)
    localizer = experiment.build_model(config, len(CLASSES))
    Checkpointer(workdir, localizer).save(1)
    return labels, workdir, folder / "photos"


def evaluate(monkeypatch, evaluated, output, map_class: str) -> tuple[dict, list]:
    """metrics.json and the rows of --per_image."""
    _, workdir, photos = evaluated
    code = exit_code_in_process(
        monkeypatch, "bas_tf.evaluate", f"--model={workdir}", "--split=val",
        "--config=configs/cub_mobilenet_v1.py", "--config.data.source=folder",
        f"--config.data.root={photos}", "--config.eval.ten_crop=False",
        f"--config.eval.score_threshold={THRESHOLD}",
        f"--config.eval.map_class={map_class}", f"--output={output / 'metrics.json'}",
        f"--per_image={output / 'images.csv'}",
    )  # fmt: skip
    assert code == 0
    with (output / "images.csv").open(encoding="utf-8") as file:
        return json.loads((output / "metrics.json").read_text()), [
            *csv.DictReader(file)
        ]


def test_gt_known_is_of_the_recorded_maps_of_the_labels(
    evaluated, monkeypatch, tmp_path, capsys
):
    """Evaluated by the predicted class, the same maps have other names."""
    labels, *_ = evaluated
    document, rows = evaluate(monkeypatch, evaluated, tmp_path, "label")
    metrics = document["metrics"]
    assert (metrics["gt_known_loc"], metrics["predicted_map_loc"]) == (1, 0)
    assert metrics["mean_iou"] > 0.95  # measured: 0.977
    assert metrics["top1_acc"] == metrics["top1_loc"] == 0
    assert {row["class"] for row in rows} == {CLASSES[label] for label in labels}
    deployed, _ = evaluate(monkeypatch, evaluated, tmp_path, "predicted")
    assert "gt_known_loc" not in deployed["metrics"]
    for key in ("predicted_map_loc", "predicted_map_iou"):
        assert deployed["metrics"][key] == metrics[key]

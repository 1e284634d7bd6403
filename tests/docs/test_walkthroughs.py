"""The commands of own_photos.md and of the tour, run in their order at a small size.

The pages' own arguments are kept; only names of folders become those of the test, and
commands that read a config get small settings.
"""

import contextlib
import functools
import glob
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bas_tf.data.drawings.source import SyntheticSource, draw_example
from bas_tf.geometry.boxes import box_from_mask
from tests.commands import REPO, exit_code_in_process, run_command
from tests.docs import pages
from tests.training import narrow

OWN_PHOTOS, TOUR = REPO / "docs" / "own_photos.md", REPO / "docs" / "tour.md"
COUNTS = {"train": 24, "val": 8}
SMALL = (
    f"--config.model.backbone={narrow.NAME}", "--config.model.width=0.125",
    "--config.model.weights=", "--config.data.resize_size=(72,72)",
    "--config.data.crop_size=(64,64)", "--config.data.batch_size=8",
    "--config.train.epochs=1", "--config.train.classifier_epochs=0",
    "--config.train.self_training_epochs=1",
    "--config.train.log_every_steps=1", "--config.export.calibration_images=8",
)  # fmt: skip


def write_photos(root: Path) -> list[str]:
    """A folder of the layout that the page asks for; returns rows of a boxes.csv."""
    rows = []
    for split, count in COUNTS.items():
        for i in range(count):
            drawn = draw_example(seed=1, split=split, index=i, image_size=(96, 80))
            name = SyntheticSource.class_names[drawn.label]
            path = root / split / name / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(drawn.image).save(path, quality=95)
            box = ",".join(str(int(v)) for v in box_from_mask(drawn.mask))
            rows.append(f"{path.relative_to(root)},{box}")
    return rows


class Walk:
    """A page's commands with the folders of the test in place of its own."""

    def __init__(self, folder: Path):
        self.photos, self.work = folder / "photos", folder / "work"
        self.rows = write_photos(self.photos)

    def place(self, text: str) -> str:
        """The page's folders become the test's; both pages share one workdir."""
        text = re.sub(r"\bruns/(photos|demo)\b", str(self.work / "run"), text)
        text = re.sub(r"\bruns/several\b", str(self.work / "several"), text)
        text = re.sub(r"=(found\w*|data\.json|labels)\b", rf"={self.work}/\1", text)
        return re.sub(r"(?<![\w/.])photos(?=/|$)", str(self.photos), text)

    def run(self, page: Path, module: str, number: int = 0) -> None:
        """The page's `number`th command of a module, to its end."""
        found = [c for c in pages.commands(page) if c.module == module]
        args = [self.place(arg) for arg in found[number].args]
        args = [path for arg in args for path in sorted(glob.glob(arg)) or [arg]]
        if any(arg.startswith("--config=") for arg in args):
            args += SMALL
        if module.startswith("export.edge."):  # it does without TensorFlow
            done = run_command(module, *args)
            assert done.returncode == 0, done.stderr
            print(done.stdout)
            return
        with pytest.MonkeyPatch.context() as patch:
            code = exit_code_in_process(patch, module, *args)
        assert code == 0, f"{page.name}: {module}"


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> Iterator[Walk]:
    """Checked and trained, as sections 2 and 3 of own_photos.md say."""
    walk = Walk(tmp_path_factory.mktemp("walk"))
    walk.run(OWN_PHOTOS, "bas_tf.check_data")
    with narrow.shallow_backbone():
        walk.run(OWN_PHOTOS, "bas_tf.train")
        yield walk


@pytest.fixture(scope="module")
def exported(walk) -> Path:
    """What section 6 writes, evaluated."""
    walk.run(OWN_PHOTOS, "export.tflite")
    walk.run(OWN_PHOTOS, "export.verify")
    return walk.work / "run" / "export"


@pytest.mark.slow
def test_checking_and_training_leave_what_the_page_lists(walk):
    assert json.loads((walk.work / "data.json").read_text())["num_faults"] == {}
    run = walk.work / "run"
    training = OWN_PHOTOS.read_text().partition("\n## 4.")[0]
    listed = re.findall(r"^\| `([\w.]+)` \|", training, re.M)
    assert len(listed) == 5
    assert [name for name in listed if not (run / name).is_file()] == []
    assert "top1_acc" in json.loads((run / "metrics.json").read_text())["metrics"]


@pytest.mark.slow
def test_the_lines_that_read_the_log(walk):
    (block,) = [b for b in pages.blocks(OWN_PHOTOS) if b.language == "python"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(walk.place(block.text), {})
    values = dict(line.split() for line in printed.getvalue().splitlines())
    assert float(values["background_activation_suppression_loss"]) >= 0
    assert 0 <= float(values["area_constraint_loss"]) <= 1


@pytest.mark.slow
def test_localizing_the_validation_photos(walk):
    walk.run(OWN_PHOTOS, "bas_tf.localize")
    rows = json.loads((walk.work / "found" / "predictions.json").read_text())
    assert len(rows) == COUNTS["val"]
    assert {row["width"] for row in rows} == {96}


@pytest.mark.slow
def test_annotating_all_photos_with_their_folders_classes(walk):
    walk.run(OWN_PHOTOS, "bas_tf.annotate")
    written = walk.work / "found_coco" / "annotations.json"
    document = json.loads(written.read_text())
    names = {entry["id"]: entry["name"] for entry in document["categories"]}
    files = {entry["id"]: entry["file_name"] for entry in document["images"]}
    assert len(document["annotations"]) == sum(COUNTS.values())
    for entry in document["annotations"]:
        assert files[entry["image_id"]].split("/")[1] == names[entry["category_id"]]


@pytest.mark.slow
def test_label_maps_of_the_validation_photos(walk):
    """Of the classes that are predicted: the photos have no labels.csv."""
    walk.run(OWN_PHOTOS, "bas_tf.train", number=1)
    walk.run(OWN_PHOTOS, "bas_tf.refine")
    paths = list((walk.work / "labels" / "val").rglob("*.png"))
    assert len(paths) == COUNTS["val"]
    assert {np.asarray(Image.open(path)).shape for path in paths} == {(80, 96)}


@pytest.mark.slow
def test_exporting_and_asking_the_file_on_the_device(walk, exported, capsys):
    assert sorted(path.name for path in exported.glob("*.tflite")) == [
        "given_class_float32.tflite",
        "given_class_int8.tflite",
        "localizer_float32.tflite",
        "localizer_int8.tflite",
    ]
    rows = json.loads((exported / "report.json").read_text())["rows"]
    assert {"tflite_float32", "tflite_int8"} <= {row["name"] for row in rows}
    walk.run(TOUR, "export.edge.photo")
    assert "docs/drawing.jpg: " in capsys.readouterr().out
    (picture,) = (walk.work / "found_edge").glob("*.png")
    assert np.asarray(Image.open(picture)).shape == (288, 288, 3)


@pytest.mark.slow
def test_the_tour_localizes_its_drawing(walk):
    walk.run(TOUR, "bas_tf.localize")
    (row,) = json.loads((walk.work / "found" / "predictions.json").read_text())
    assert row["image"] == "docs/drawing.jpg" and row["height"] == 288
    walk.run(TOUR, "bas_tf.localize", number=1)
    (row,) = json.loads((walk.work / "found_class" / "predictions.json").read_text())
    assert row["class"] == "coral_spot"


@pytest.mark.slow
def test_boxes_drawn_later_turn_it_into_numbers(walk):
    """As the page's last section; last here too, since it adds a file to the photos."""
    (written,) = [b for b in pages.blocks(OWN_PHOTOS) if "boxes.csv" in b.text]
    header = written.text.split()[1]
    val = [row for row in walk.rows if row.startswith("val/")]
    (walk.photos / "boxes.csv").write_text("\n".join([header, *val]) + "\n")
    walk.run(OWN_PHOTOS, "bas_tf.evaluate")
    evaluated = json.loads((walk.work / "run" / "evaluated.json").read_text())
    assert evaluated["threshold_origin"] == "oracle"  # as the page says
    assert 0 <= evaluated["metrics"]["gt_known_loc"] <= 1


def test_every_command_of_both_pages_is_run_here():
    run = functools.partial(re.findall, r'\.run\((OWN_PHOTOS|TOUR), "([\w.]+)"')
    source = Path(__file__).read_text()
    here = {(page, module) for page, module in run(source)}
    there = {
        (name, command.module)
        for name, page in (("OWN_PHOTOS", OWN_PHOTOS), ("TOUR", TOUR))
        for command in pages.commands(page)
    }
    assert there == here

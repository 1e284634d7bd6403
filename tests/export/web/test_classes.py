"""Several classes in one photo: the page has those of `bas_tf.localize`."""

import contextlib
import json
import re

import numpy as np
import pytest
from PIL import Image

from bas_tf.export.litert import conversion
from bas_tf.export.web import build, site
from bas_tf.jobs import experiment, localization
from bas_tf.jobs.found_classes import found_classes
from bas_tf.names import NO_OBJECT
from bas_tf.refinement import masks
from bas_tf.self_training import rounds
from tests.export.web.page_session import Page, ServedFolder, serious_faults
from tests.export.web.test_page import ask_for
from tests.training import narrow

CLASS_NAMES = ["ape", "bee", NO_OBJECT, "cow"]
# Enlarged, shrunk, odd, thin: width and height of the map, then of the photo.
SIZES = [((16, 16), (40, 30)), ((15, 9), (64, 61)), ((16, 12), (7, 5)),
         ((9, 16), (9, 100)), ((1, 5), (33, 3)), ((16, 16), (16, 16))]  # fmt: skip
RUN = """
import { readFileSync } from "node:fs";
import { foundClasses } from "./classes.mjs";
const cases = JSON.parse(readFileSync(`${process.argv[2]}/cases.json`));
const found = ({ map, photo, names }) =>
  foundClasses(map, photo, names).map(({ name, box, area }) => [name, box, area]);
console.log(JSON.stringify(cases.map(found)));
"""
FOUND = """return [...document.querySelectorAll("#found li")].map((item) =>
  [...item.children].map((part) => part.textContent));"""
TAGS = 'return [...document.querySelectorAll("#boxes .tag")].map((t) => t.textContent);'
# RGBA of the overlay at the centre of each pixel of a picture of this size.
OVERLAY = """const [width, height] = arguments;
const { data, width: w, height: h } = heat.getContext("2d")
  .getImageData(0, 0, heat.width, heat.height);
const at = (i, size, whole) => Math.floor(((i + 0.5) * size) / whole);
return Array.from({ length: width * height }, (_, i) => {
  const y = at(Math.floor(i / width), h, height);
  const pixel = 4 * (y * w + at(i % width, w, width));
  return [...data.slice(pixel, pixel + 4)].join(" ");
});"""


def make_label_maps(rng) -> list[tuple]:
    """(labels, size of a photo): noise, ties, no classes, unsure pixels."""
    cases = []
    for (width, height), size_wh in SIZES:
        for values in ((0, 1, 2, 3, 4, 255), (0, 0, 0, 4), (0, 1), (0,), (255, 2)):
            noise = rng.choice(values, [height, width]).astype(np.uint8)
            cases.append((noise, size_wh))
    twins = np.zeros([16, 16], np.uint8)
    twins[[4, 3], [2, 12]] = 1  # of one size: the upper one counts
    twins[8:10, :2], twins[12:14, 8:10], twins[13, 13] = 4, 2, 2
    twins[11, 11] = 2  # at a corner, so is one component with neither
    return [*cases, (twins, (160, 160)), (twins, (50, 90))]


def test_boxes_and_areas_equal_pythons(run_compiled, rng, tmp_path):
    cases = make_label_maps(rng)
    expected = [
        [
            [each["class"], each["box"], each["area"]]
            for each in found_classes(labels, size_wh, CLASS_NAMES)
        ]
        for labels, size_wh in cases
    ]
    assert sum(len(found) > 1 for found in expected) > len(SIZES)
    assert NO_OBJECT not in {each[0] for found in expected for each in found}
    given = [
        {
            "map": {"values": labels.ravel().tolist(), "width": labels.shape[1],
                    "height": labels.shape[0]},
            "photo": dict(zip(("width", "height"), size_wh, strict=True)),
            "names": CLASS_NAMES,
        }
        for labels, size_wh in cases
    ]  # fmt: skip
    (tmp_path / "cases.json").write_text(json.dumps(given))
    output = run_compiled("classes", RUN, tmp_path)
    for found, wanted in zip(json.loads(output), expected, strict=True):
        rounded = [[name, box, round(area, 4)] for name, box, area in found]
        assert rounded == wanted


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """Float32 and int8 files of a student, those of a given class among them."""
    workdir, folder = (tmp_path_factory.mktemp(name) for name in ("several", "files"))
    with narrow.shallow_backbone() as backbone:
        assert rounds.run_training(narrow.several_classes_config(backbone), workdir)
        student = experiment.load_experiment(workdir)
        variants = ("full", "given_class")
        conversion.export_tflite(student, folder, ["none", "int8"], variants=variants)
    return folder


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """Three of two classes each, of other sizes than the network's."""
    folder = tmp_path_factory.mktemp("drawings")
    config = narrow.several_classes_config("shallow")
    sizes = [(640, 480), (90, 144), (50, 40)]
    records = experiment.open_source(config).records("val")
    for i, (size, record) in enumerate(zip(sizes, records, strict=False)):
        Image.fromarray(record.load_image()).resize(size).save(folder / f"{i}.png")
    return sorted(folder.iterdir())


def assert_shown(page: Page, row: dict) -> None:
    """Names, boxes, areas and masks of the classes of one photo, in their order."""
    listed = page.script(FOUND)
    class_names = [each["class"] for each in row["classes"]]
    assert [name for name, _, _ in listed] == page.script(TAGS) == class_names
    assert page.text("best") == ", ".join(class_names)
    size_wh = row["width"], row["height"]
    overlay = np.array(page.script(OVERLAY, *size_wh)).reshape(size_wh[::-1])
    colours = set(np.unique(overlay)) - {"0 0 0 0"}
    assert len(colours) == len(class_names)
    for (_, area, place), each in zip(listed, row["classes"], strict=True):
        assert float(area.split()[0]) == pytest.approx(100 * each["area"], abs=0.1)
        box = np.array(re.findall(r"\d+\.\d", place), float)
        np.testing.assert_allclose(box, each["box"], atol=1)
        mask = masks.from_run_lengths(each["mask_rle"])
        seen, counts = np.unique(overlay[mask], return_counts=True)
        of_class = overlay == seen[np.argmax(counts)]
        assert np.mean(of_class == mask) > 0.99
        colours.remove(seen[np.argmax(counts)])  # no other class has it


@pytest.mark.slow
@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_every_class_is_shown_as_localize_finds_it(
    driver, page, artifacts, drawings, tmp_path, quantize
):
    models = site.find_models(artifacts, quantize=quantize)
    site.write_site(page, models, tmp_path / "site")
    rows = localization.localize_photos(
        str(models["localizer"]), drawings, tmp_path, class_name=None
    )
    assert max(len(row["classes"]) for row in rows) > 1
    with contextlib.closing(ServedFolder(tmp_path / "site")) as served:
        opened = Page(driver, served.address)
        opened.wait_until_ready()
        for path, row in zip(drawings, rows, strict=True):
            answer = opened.look(path)
            assert_shown(opened, row)
            assert answer.confidence == pytest.approx(row["confidence"], abs=0.002)
            assert answer.found == row["found"]
            assert opened.is_shown("found") and not opened.is_shown("box")
        ask_for(opened, "1")  # one box and its heat, as of any file
        opened.wait(lambda: opened.text("tag").endswith("?"), "asked")
        assert opened.is_shown("box") and not opened.is_shown("found")
        assert not opened.is_shown("boxes")
        ask_for(opened, "")
        opened.wait(lambda: opened.is_shown("found"), "its own answer again")
        assert_shown(opened, rows[-1])
        opened.script((build.PACKAGES / "axe-core" / "axe.min.js").read_text())
        assert serious_faults(driver) == []

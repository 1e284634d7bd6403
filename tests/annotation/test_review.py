"""The page of reviews in a real browser, from file://, and what it saves."""

import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bas_tf.annotation import review
from bas_tf.annotation.data_set import Photo
from bas_tf.data import decode
from bas_tf.data.annotations.coco_boxes import read_coco_boxes
from bas_tf.export.web import build
from tests.annotation.conftest import CLASSES, NAMES, hashes_of
from tests.export.web.page_session import (
    SECONDS,
    serious_faults,
)

boxes_alone = pytest.mark.parametrize("data", [False], indirect=True, ids=["boxes"])


class Review:
    """The page in a browser."""

    def __init__(self, driver, page: Path):
        self.driver, self._address = driver, page.as_uri()
        self.driver.get(self._address)

    def reopen(self, is_so) -> None:
        """Closes and opens it until it is so.

        A file that is opened again at once has an empty storage in one of some hundred
        times in Chromium, and all of it the next time.
        """

        def opened() -> bool:
            self.driver.get(self._address)
            return is_so()

        self.wait_for(opened)

    def script(self, source: str):
        return self.driver.execute_script(source)

    def wait_for(self, is_so) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, SECONDS, 0.02).until(lambda _: is_so())

    def wait_for_photo(self) -> None:
        """Until it is shown; a problem that the page reports fails."""
        self.wait_for(
            lambda: (
                self.script("return picture.style.visibility === ''")
                or self.text("problem")
            )
        )
        assert self.text("problem") == ""

    def text(self, element_id: str) -> str:
        return self.driver.find_element("id", element_id).get_property("textContent")

    def photo(self) -> str:
        self.wait_for_photo()
        return self.script("return picture.alt")

    def keys(self, *keys: str) -> None:
        """Pressed together, the last one at last."""
        from selenium.webdriver import ActionChains

        chain = ActionChains(self.driver)
        for key in keys:
            chain.key_down(key)
        for key in reversed(keys):
            chain.key_up(key)
        chain.perform()
        self.wait_for_photo()

    def drag(self, start, end) -> None:
        """From and to points in pixels of the photo."""
        left, top, scale = self.script(
            """const {left, top, width} = stage.getBoundingClientRect();
            return [left, top, width / photos[current].width];"""
        )
        for kind, (x, y) in (
            ("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)
        ):  # fmt: skip
            self.driver.execute_cdp_cmd(
                "Input.dispatchMouseEvent",
                {"type": kind, "x": left + x * scale, "y": top + y * scale,
                 "button": "left", "buttons": 1, "clickCount": 1},
            )  # fmt: skip

    def save(self, folder: Path) -> Path:
        self.driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior",
            {"behavior": "allow", "downloadPath": str(folder)},
        )
        self.keys("s")
        self.wait_for((folder / "boxes.json").is_file)
        return folder / "boxes.json"


@pytest.mark.slow
@boxes_alone
def test_what_is_decided_by_keys_and_pointer_is_read_back(data, driver, tmp_path):
    """Boxes within a pixel; the rest as it was. Each photo is looked at, turned."""
    from selenium.webdriver import Keys

    before = hashes_of(data.root)
    review.write(data, tmp_path / "out")
    page = Review(driver, tmp_path / "out" / review.FILE)
    photos = {photo.name: photo for photo in data.photos()}
    order = sorted(photos, key=lambda name: _least_confidence(photos[name]))
    boxes = {name: [[*f.box] for f in photo.objects] for name, photo in photos.items()}
    kinds = {name: [f.label for f in photo.objects] for name, photo in photos.items()}

    assert page.photo() == order[0] == NAMES[-1]  # nothing was found
    page.drag((20, 15), (60, 50))
    boxes[order[0]] = [[20, 15, 60, 50]]
    page.keys(Keys.ENTER)
    assert page.photo() == order[1]
    page.keys("x")
    assert page.photo() == order[2]
    x0, y0, x1, y1 = boxes[order[2]][0]
    page.keys(Keys.SHIFT, Keys.ALT, Keys.ARROW_RIGHT)  # its left edge
    page.keys(Keys.ALT, Keys.ARROW_UP)  # its bottom edge
    page.keys(Keys.SHIFT, Keys.ARROW_LEFT)
    page.keys("3")
    boxes[order[2]][0] = [round(x0 + 1) - 1, y0, x1 - 1, round(y1 - 1)]
    kinds[order[2]][0] = CLASSES[2]
    page.keys("a")
    page.reopen(lambda: page.photo() == order[3])
    x0, y0, x1, y1 = boxes[order[3]][0]
    page.drag((x1, y1), (x1 - 3, y1 - 2))  # its corner
    boxes[order[3]][0] = [x0, y0, x1 - 3, y1 - 2]
    page.keys("a")
    page.keys(Keys.ARROW_RIGHT)  # not decided
    for name in order[5:]:
        assert page.photo() == name
        page.keys(Keys.ENTER)
    assert page.photo() == order[4]

    dragged = (order[0], order[3])
    accepted = [name for name in order if name not in (order[1], order[4])]
    saved = page.save(tmp_path / "saved")
    read = {entry.names[0]: entry for entry in read_coco_boxes(saved)}
    assert sorted(read) == sorted(accepted)
    for name, entry in read.items():
        assert entry.names[1] == f"{data.folder}/{name}"
        assert entry.size_wh == photos[name].size_wh
        assert list(entry.categories) == kinds[name]
        within = 1 if name in dragged else 0.011
        np.testing.assert_allclose(entry.boxes, boxes[name], atol=within)
    images = json.loads(saved.read_text())["images"]
    assert sorted(image["file_name"] for image in images) == sorted(
        [*accepted, order[1]]
    )
    assert hashes_of(data.root) == before


def _least_confidence(photo: Photo) -> float:
    return min(0 if found.degenerate else found.confidence for found in photo.objects)


@boxes_alone
def test_a_decision_on_other_boxes_is_not_kept(data, driver, tmp_path):
    def write(right: float) -> None:
        photo = next(data.photos())
        found = dataclasses.replace(photo.objects[0], box=(0.0, 0.0, right, 9.0))
        photo = dataclasses.replace(photo, objects=(found,))
        one = dataclasses.replace(data, photos=lambda: iter([photo]))
        review.write(one, tmp_path / "out")

    write(5.0)
    page = Review(driver, tmp_path / "out" / review.FILE)
    page.keys("x")
    write(5.0)
    page.reopen(lambda: ": rejected." in page.text("state"))
    write(6.0)
    page.reopen(lambda: ": not reviewed." in page.text("state"))


@boxes_alone
def test_a_lost_photo_is_named(data, driver, tmp_path):
    review.write(data, tmp_path / "out")
    data.root.rename(tmp_path / "elsewhere")
    page = Review(driver, tmp_path / "out" / review.FILE)
    page.wait_for(lambda: page.text("problem"))
    assert page.text("problem").startswith(f"{NAMES[-1]} cannot be shown")


@pytest.mark.slow
@boxes_alone
def test_photos_are_shown_as_we_read_them(data, driver, tmp_path):
    """Turned by their EXIF; of a TIFF, which browsers do not show, a copy is."""
    from selenium.webdriver import Keys

    photos = list(data.photos())
    Image.open(data.root / photos[0].name).save(data.root / "a.tif")
    photos.append(dataclasses.replace(photos[0], name="a.tif"))
    review.write(
        dataclasses.replace(data, photos=lambda: iter(photos)), tmp_path / "out"
    )
    page = Review(driver, tmp_path / "out" / review.FILE)
    seen = set()
    for _ in photos:
        seen.add(page.photo())
        expected = decode.decode_image(data.root / page.photo())
        page.script("boxes.forEach((box) => { box.hidden = true; })")
        shown = driver.find_element("id", "picture").screenshot_as_png
        shown = Image.open(io.BytesIO(shown)).convert("RGB")
        shown = shown.resize(expected.shape[1::-1], Image.Resampling.BOX)
        alike = np.corrcoef(np.asarray(shown).ravel(), expected.ravel())[0, 1]
        assert alike > 0.9, page.photo()  # noise: 0 for any other way up
        page.keys(Keys.ARROW_RIGHT)
    assert seen == {*NAMES, "a.tif"}


@pytest.mark.slow
@boxes_alone
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(data, driver, tmp_path, scheme):
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    build.built_page()  # installs axe
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    review.write(data, tmp_path / "out")
    page = Review(driver, tmp_path / "out" / review.FILE)
    page.script((build.PACKAGES / "axe-core" / "axe.min.js").read_text())
    for key in ("a", "x", "s"):
        page.keys(key)
        assert serious_faults(driver) == []

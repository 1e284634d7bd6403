"""The page in a real browser: the Python runner's answers, mistakes, no network.

One browser for all tests; each begins on the page as it is opened.
"""

import contextlib
import io
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from bas_tf import names
from bas_tf.data import decode, preprocess
from bas_tf.data.drawings.source import draw_example
from bas_tf.export.web import build, server, site
from bas_tf.geometry.frames import CropFrame
from bas_tf.jobs import localization
from tests.export.web.page_session import (
    Page,
    ServedFolder,
    serious_faults,
)

pytestmark = pytest.mark.slow

PIXELS = 2  # of the photo, between a box here and there
EXIF_ORIENTATION = 0x0112
# In the order of the Tab key, where a photo was looked at.
CONTROLS = ["choose", "camera", "opacity", "wanted", "summary", "a"]


@pytest.fixture(scope="module")
def served(site_folder):
    with contextlib.closing(ServedFolder(site_folder)) as served:
        yield served


@pytest.fixture
def page_at(driver, served) -> Page:
    """The page of the float32 file, ready."""
    page = Page(driver, served.address)
    page.wait_until_ready()
    return page


@pytest.fixture
def served_copy(site_folder, tmp_path):
    """A copy of the site to damage, at an address that no cache knows."""
    folder = tmp_path / "copy"
    shutil.copytree(site_folder, folder, copy_function=os.link)
    with contextlib.closing(ServedFolder(folder)) as served:
        yield served


def drawing(index: int, size_wh=(320, 240)) -> Image.Image:
    example = draw_example(seed=0, split="test", index=index, image_size=size_wh)
    return Image.fromarray(example.image)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> dict[str, Path]:
    """Photos as people have them, {file name: path}."""
    folder = tmp_path_factory.mktemp("photos")
    turned = Image.Exif()
    turned[EXIF_ORIENTATION] = 6
    clear = drawing(4).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    saved = {
        "plain.png": (drawing(0), {}),
        "tall.png": (drawing(1, (200, 450)), {}),  # resized height first
        "small.webp": (drawing(2, (40, 30)), {"lossless": True}),
        "grey.png": (drawing(3).convert("L"), {}),
        "clear.png": (clear, {}),
        "turned.jpg": (drawing(5), {"exif": turned, "quality": 95}),
        "large.jpg": (drawing(6).resize((4000, 3000)), {"quality": 90}),
    }
    for name, (image, options) in saved.items():
        image.save(folder / name, **options)
    return {name: folder / name for name in saved}


def expected_rows(model: Path, paths: list[Path], output: Path) -> list[dict]:
    """What `bas_tf.localize` says of the same file."""
    return localization.localize_photos(str(model), paths, output, class_name=None)


def assert_equal(answer, row: dict) -> None:
    assert answer.photo.endswith(f"{row['width']} × {row['height']} pixels")
    assert answer.class_name == row["class"]
    assert answer.score == pytest.approx(row["score"], abs=0.002)
    box = answer.box
    if box is None:
        assert row["degenerate"]
        box = [0, 0, row["width"], row["height"]]
    np.testing.assert_allclose(box, row["box"], atol=PIXELS, err_msg=answer.photo)


def border_style(page: Page) -> str:
    return page.script(
        "return getComputedStyle(document.getElementById('box')).borderTopStyle"
    )


def test_photos_get_the_python_runners_answers(page_at, photos, artifacts, tmp_path):
    model = artifacts / "localizer_float32.tflite"
    rows = expected_rows(model, list(photos.values()), tmp_path)
    for path, row in zip(photos.values(), rows, strict=True):
        answer = page_at.look(path)
        assert_equal(answer, row)
        assert answer.confidence == pytest.approx(row["confidence"], abs=0.002)
        assert answer.found == row["found"]
        assert border_style(page_at) == ("solid" if row["found"] else "dashed")
    assert page_at.text("status").startswith("large.jpg: ")
    assert page_at.text("problem") == ""


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_thirty_butterflies_get_the_python_runners_answers(
    driver, page, shared_dir, artifacts, tmp_path, quantize
):
    paths = sorted((shared_dir / "data" / "butterflies" / "val").rglob("*.jpg"))[::5]
    if len(paths) < 30:
        pytest.skip("shared/data/butterflies is not there")
    models = site.find_models(artifacts, quantize=quantize)
    site.write_site(page, models, tmp_path / "site")
    rows = expected_rows(models["localizer"], paths[:30], tmp_path / "found")
    with contextlib.closing(ServedFolder(tmp_path / "site")) as served:
        opened = Page(driver, served.address)
        opened.wait_until_ready()
        for path, row in zip(paths, rows, strict=False):
            assert_equal(opened.look(path), row)


def ask_for(page: Page, class_id: str) -> None:
    """Chooses in the list of classes; "" is the model's own choice."""
    page.script(
        """const wanted = document.getElementById('wanted');
        wanted.value = arguments[0];
        wanted.dispatchEvent(new Event('change'));""",
        class_id,
    )


def test_a_given_class_gets_the_box_of_its_own_file(page_at, photos, artifacts):
    photo = decode.decode_image(photos["plain.png"])
    path = artifacts / "given_class_float32.tflite"
    run = Interpreter(model_path=str(path)).get_signature_runner(names.SIGNATURE)
    own = page_at.look(photos["plain.png"])
    labels = artifacts / names.LABELS_FILE
    class_names = labels.read_text().splitlines()
    frame = CropFrame(photo.shape[1::-1], (64, 64), (64, 64))
    for class_id in range(len(class_names)):  # the model's own choice among them
        outputs = run(
            images=preprocess.resize(photo, (64, 64))[np.newaxis],
            class_ids=np.array([class_id], np.int32),
        )
        ask_for(page_at, str(class_id))
        name = class_names[class_id]
        page_at.wait(
            lambda name=name: page_at.text("tag") == f"{name}?" and page_at.is_idle(),
            f"answered for {name}",
        )
        assert page_at.text("best") == name
        expected = frame.crop_to_original(outputs[names.BOXES])[0]
        answer = page_at.answer()
        np.testing.assert_allclose(answer.box, expected, atol=PIXELS)
        assert answer.score is None
        assert page_at.text("status").startswith(f"Where the {name} would be")
        told = "so too" if name == own.class_name else own.class_name
        assert page_at.text("score") == f"where it would be; the model says {told}"
    ask_for(page_at, "")
    page_at.wait(lambda: page_at.text("best") == own.class_name, "its own answer again")
    np.testing.assert_array_equal(page_at.answer().box, own.box)


def test_files_that_are_no_photo_are_told_and_the_page_lives(page_at, photos, tmp_path):
    png = photos["plain.png"].read_bytes()
    cases = {
        "empty.jpg": (b"", "empty.jpg is empty (0 bytes). Choose a photo: JPEG"),
        "paper.pdf": (b"%PDF-1.7\n%", "paper.pdf is a PDF, not a photo. Save its page"),
        "phone.heic": (b"\0\0\0\x18ftypheic\0\0", "phone.heic is a HEIC photo"),
        "note.jpg": (b"not a photo", "note.jpg is damaged, or not a photo that this"),
        "cut.png": (png[:60], "cut.png is damaged, or not a photo that this browser"),
    }
    for name, (content, told) in cases.items():
        page_at.look(photos["plain.png"])
        assert page_at.is_shown("figure") and page_at.is_shown("result")
        assert page_at.text("problem") == ""
        (tmp_path / name).write_bytes(content)
        page_at.choose(tmp_path / name)
        page_at.wait(lambda told=told: told in page_at.text("problem"), told)
        assert page_at.is_idle() and page_at.text("status") == ""
        # Not the answer of the photo before, as if it were this file's.
        assert not page_at.is_shown("figure") and not page_at.is_shown("result"), name
        assert page_at.is_shown("empty")


def test_of_two_quick_drops_the_last_one_is_answered(page_at, photos):
    """The first has 12 megapixels, so its answer would come after the second's."""
    page_at.drop(photos["large.jpg"], photos["plain.png"])
    page_at.answer_of("plain.png")
    page_at.script("window.later = 0; setTimeout(() => (window.later = 1), 2000)")
    page_at.wait(lambda: page_at.script("return window.later"), "two seconds later")
    assert page_at.answer().photo.startswith("plain.png, ")
    page_at.drop(photos["plain.png"], photos["large.jpg"])
    page_at.answer_of("large.jpg")


def test_text_that_is_dropped_is_told(page_at):
    page_at.script(
        """const dataTransfer = new DataTransfer();
        dataTransfer.setData('text/plain', 'words');
        document.body.dispatchEvent(
          new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true}));"""
    )
    assert "There was no file in that" in page_at.problem()


def test_a_photo_is_pasted(page_at, photos):
    page_at.script(
        """const bytes = Uint8Array.from(arguments[0]);
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([bytes], 'image.png', {type: 'image/png'}));
        document.dispatchEvent(new ClipboardEvent('paste', {clipboardData}));""",
        list(photos["small.webp"].read_bytes()),
    )
    assert page_at.answer_of("image.png").photo == "image.png, 40 × 30 pixels"


def set_camera(page: Page, setting: str) -> None:
    page.driver.execute_cdp_cmd(
        "Browser.setPermission",
        {"permission": {"name": "camera"}, "setting": setting},
    )


def chosen_class(page: Page) -> str:
    """The list's value, "" is the model's own choice."""
    return page.script("return document.getElementById('wanted').value")


def test_a_photo_on_its_way_is_answered_whatever_is_asked_meanwhile(page_at, photos):
    set_camera(page_at, "denied")
    page_at.look(photos["plain.png"])
    page_at.script(  # the next photo is decoded when the test says so
        """const decode = window.createImageBitmap;
        const told = new Promise((resolve) => (window.go = resolve));
        window.createImageBitmap = async (...args) => {
          await told;
          return decode(...args);
        };"""
    )
    page_at.choose(photos["small.webp"])
    ask_for(page_at, "1")
    assert chosen_class(page_at) == ""  # it would be asked of the photo before
    page_at.driver.find_element("id", "camera").click()
    assert "The camera was not allowed" in page_at.problem()
    page_at.script("window.go()")
    answer = page_at.answer_of("small.webp")
    assert answer.score is not None and chosen_class(page_at) == ""
    ask_for(page_at, "1")
    page_at.wait(lambda: page_at.text("tag").endswith("?"), "asked of the new photo")
    assert chosen_class(page_at) == "1"


def test_a_camera_that_is_denied_is_told_and_the_page_lives(page_at, photos):
    set_camera(page_at, "denied")
    page_at.driver.find_element("id", "camera").click()
    assert "The camera was not allowed" in page_at.problem()
    assert not page_at.driver.find_element("id", "viewfinder").is_displayed()
    page_at.look(photos["plain.png"])


def test_a_picture_is_taken_with_the_camera(page_at):
    """Of Chromium's own test picture."""
    set_camera(page_at, "granted")
    page_at.driver.find_element("id", "camera").click()
    take = page_at.driver.find_element("id", "take")
    page_at.wait(take.is_displayed, "shown the viewfinder")
    assert page_at.driver.switch_to.active_element == take
    take.click()
    assert page_at.answer_of("Picture").photo.startswith("Picture, ")
    assert not take.is_displayed()
    assert page_at.script("return document.getElementById('video').srcObject") is None


def test_a_camera_that_is_started_again_leaves_no_camera_on(page_at):
    set_camera(page_at, "granted")
    page_at.script("const {camera} = window; camera.click(); camera.click();")
    is_live = "return !viewfinder.hidden && video.srcObject?.active && !video.paused"
    page_at.wait(lambda: page_at.script(is_live), "shown what the camera sees")
    page_at.script("window.first = video.srcObject; window.camera.click();")
    another = f"if (video.srcObject !== first) {{ {is_live}; }}"
    page_at.wait(lambda: page_at.script(another), "shown it again")
    assert page_at.script("return first.active") is False
    set_camera(page_at, "denied")
    page_at.driver.find_element("id", "camera").click()
    assert "The camera was not allowed" in page_at.problem()
    assert not page_at.driver.find_element("id", "viewfinder").is_displayed()
    assert focused(page_at) == "camera"


def test_a_model_that_is_changed_or_missing_is_told(driver, served_copy, photos):
    model = served_copy.folder / "models" / "localizer_float32.tflite"
    model.with_name(f"{model.name}.gz").unlink()  # it would be served instead
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.unlink()
    model.write_bytes(content)
    page = Page(driver, served_copy.address)
    told = page.problem()
    assert told.startswith("The model models/localizer_float32.tflite is damaged or of")
    model.unlink()
    page.choose(photos["plain.png"])
    page.wait(lambda: "is missing (404)" in page.text("problem"), "told it is missing")
    set_camera(page, "granted")
    driver.find_element("id", "camera").click()
    close = driver.find_element("id", "close")
    page.wait(close.is_displayed, "shown the viewfinder")
    close.click()
    assert "is missing (404)" in page.problem()  # and not "Ready"
    content[len(content) // 2] ^= 1
    model.write_bytes(content)  # whole again: the next photo gets its answer
    page.look(photos["plain.png"])
    assert page.text("problem") == ""
    page.wait(lambda: "works offline" in page.text("offline"), "kept offline")


@pytest.mark.parametrize("name", ["site.json", "wasm"])
def test_another_part_of_the_site_that_is_missing_is_told(driver, served_copy, name):
    lost = served_copy.folder / name
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    told = Page(driver, served_copy.address).problem()
    assert {"site.json": "site.json is missing", "wasm": "The runtime in"}[name] in told


def test_it_works_without_the_server_once_loaded(driver, site_folder, photos):
    with contextlib.closing(ServedFolder(site_folder)) as served:
        page = Page(driver, served.address)
        page.wait(lambda: "works offline" in page.text("offline"), "kept offline")
        before = page.look(photos["plain.png"])
    page.open()
    page.wait_until_ready()
    assert page.text("caption") == ""
    after = page.look(photos["plain.png"])
    assert (after.class_name, after.score) == (before.class_name, before.score)
    np.testing.assert_array_equal(after.box, before.box)
    ask_for(page, "1")
    page.wait(lambda: page.text("tag").endswith("?"), "the given class offline")


def kept_runtime(page: Page) -> list[str]:
    """Names of the runtime's files in all that the site has kept."""
    urls = page.driver.execute_async_script(
        """const done = arguments[0];
        const keys = async (name) => (await caches.open(name)).keys();
        caches.keys().then(async (names) => {
          const kept = (await Promise.all(names.map(keys))).flat();
          done(kept.map(({url}) => url));
        });"""
    )
    return sorted(Path(url).name for url in urls if "/wasm/" in url)


def test_a_newer_site_is_told_and_shown_after_a_reload_without_the_server(
    driver, page, artifacts, site_folder, photos, tmp_path, monkeypatch
):
    """Of a server that lets browsers take what they have for an hour."""
    monkeypatch.setitem(server.HEADERS, "Cache-Control", "max-age=3600")
    folder = tmp_path / "site"
    shutil.copytree(site_folder, folder)
    with contextlib.closing(ServedFolder(folder)) as served:
        opened = Page(driver, served.address)
        opened.wait(lambda: "works offline" in opened.text("offline"), "kept")
        assert "localizer_float32" in opened.text("facts")
        runtime = kept_runtime(opened)
        assert 0 < len(runtime) < len(os.listdir(folder / "wasm"))
        models = site.find_models(artifacts, quantize="int8")
        site.write_site(page, models, folder)
        opened.open()  # what was kept is shown while the newer one is fetched
        opened.wait(lambda: "newer version" in opened.text("offline"), "told of it")
        driver.execute_cdp_cmd("Network.clearBrowserCache", {})
        own = opened.look(photos["plain.png"])
        ask_for(opened, "1")  # of a file that is no longer there
        told = "given_class_float32.tflite is missing (404). Reload the page"
        assert told in opened.problem()
        assert chosen_class(opened) == "" and opened.answer().score == own.score
    opened.open()
    opened.wait_until_ready()
    assert "localizer_int8" in opened.text("facts")
    assert kept_runtime(opened) == runtime


def set_cores(driver, count: int) -> None:
    """What the browser says that the device has."""
    driver.execute_cdp_cmd(
        "Emulation.setHardwareConcurrencyOverride", {"hardwareConcurrency": count}
    )


def loads(page: Page, name: str) -> int:
    """How often the page that is shown loaded a file, its workers included."""
    return page.script(
        """return performance.getEntriesByType('resource').filter(
          ({name}) => name.endsWith(arguments[0])).length;""",
        name,
    )


def test_a_server_without_headers_gets_an_isolated_page_that_works_offline(
    driver, site_folder, photos, artifacts, tmp_path, monkeypatch
):
    for name in ("Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy"):
        monkeypatch.delitem(server.HEADERS, name)
    set_cores(driver, 6)
    with contextlib.closing(ServedFolder(site_folder)) as served:
        page = Page(driver, served.address)
        page.wait(lambda: "works offline" in page.text("offline"), "kept offline")
    for _ in range(2):  # after its own reload, and without the server
        assert page.script("return crossOriginIsolated")
        assert loads(page, "litert_wasm_threaded_internal.js") == 1 + 4  # workers
        model = artifacts / "localizer_float32.tflite"
        (row,) = expected_rows(model, [photos["plain.png"]], tmp_path)
        assert_equal(page.look(photos["plain.png"]), row)
        page.open()
        page.wait_until_ready()
    assert kept_runtime(page) == [
        "litert_wasm_threaded_internal.js", "litert_wasm_threaded_internal.wasm",
    ]  # fmt: skip
    set_cores(driver, os.cpu_count())


def test_nothing_leaves_the_machine(page_at, served, photos):
    page_at.requests()  # those of the tests before
    page_at.open()
    page_at.wait_until_ready()
    page_at.look(photos["turned.jpg"])
    requests = page_at.requests()
    assert requests
    host = served.address.removeprefix("http://").rstrip("/")
    assert {request.host for request in requests} == {host}
    assert {(r.method, r.has_body) for r in requests} == {("GET", False)}


def test_the_heat_of_a_map_without_a_scale_is_dark(page_at, compiled):
    source = (compiled / "heat.js").read_text().replace("export ", "")

    def colours(values: str) -> list[int]:
        return page_at.script(
            f"{source}\nreturn [...heatColours([{values}], 3, 1).data];"
        )

    dark, half, light = [0, 0, 4, 255], [186, 54, 85, 255], [252, 255, 164, 255]
    assert colours("2, 3, 4") == [*dark, *half, *light]
    for values in ("7, 7, 7", "0, NaN, 1", "0, Infinity, 1"):
        assert colours(values) == dark * 3, values


def test_a_score_never_reads_as_certain_where_it_is_not(page_at, compiled):
    source = (compiled / "score.js").read_text().replace("export ", "")

    def text(score: float, digits: int) -> str:
        call = "return scoreText(arguments[0], arguments[1]);"
        return page_at.script(f"{source}\n{call}", score, digits)

    cases = {0.0: "<0.001", 0.0004: "<0.001", 0.0006: "0.001", 0.25: "0.250",
             0.9994: "0.999", 0.9996: ">0.999", 1.0: "1.000"}  # fmt: skip
    assert {score: text(score, 3) for score in cases} == cases
    cases = {0.004: "<0.01", 0.5: "0.50", 0.996: ">0.99"}
    assert {score: text(score, 2) for score in cases} == cases


def shown_scores(page: Page) -> list[str]:
    """Of the best classes, as the page writes them."""
    return page.script(
        "return [...document.querySelectorAll('li .score')].map((s) => s.textContent)"
    )


def test_the_scores_of_a_sure_network_are_told_as_bounds(page_at, photos):
    page_at.look(photos["plain.png"])
    count = len(shown_scores(page_at))
    assert count not in (0, 4)  # or a box would be taken for scores
    page_at.script(  # where the page reads scores and map, they are of a surer one
        """const read = Array.from;
        const surer = {
          [arguments[0]]: (_, i) => (i === 0 ? 0.9999 : 0.00002),
          64: (_, i) => Number(i < 32),
        };
        Array.from = (values, ...rest) =>
          values instanceof Float32Array && values.length in surer
            ? read(values, surer[values.length])
            : read(values, ...rest);""",
        count,
    )
    page_at.look(photos["small.webp"])
    assert shown_scores(page_at) == [">0.999", *["<0.001"] * (count - 1)]
    assert page_at.text("score") == "score >0.999"
    assert page_at.text("tag").endswith(" >0.99")
    assert ", score >0.99. Confidence 0.9" in page_at.text("status")
    assert border_style(page_at) == "solid"


def focused(page: Page) -> str:
    return page.script(
        "const at = document.activeElement;return at.id || at.localName;"
    )


def test_everything_is_reached_by_keyboard_and_shows_it(page_at, photos):
    from selenium.webdriver import ActionChains, Keys

    page_at.look(photos["plain.png"])
    page_at.script("document.getElementById('card').open = true")
    reached = []
    for _ in range(len(CONTROLS)):
        ActionChains(page_at.driver).send_keys(Keys.TAB).perform()
        reached.append(focused(page_at))
        outline = page_at.script(
            "return getComputedStyle(document.activeElement).outlineWidth"
        )
        assert outline == "3px", reached[-1]
    assert reached == CONTROLS
    page_at.script("document.getElementById('opacity').focus()")
    opacity = "return document.getElementById('heat').style.opacity"
    before = float(page_at.script(opacity))
    ActionChains(page_at.driver).send_keys(Keys.ARROW_RIGHT).perform()
    after = float(page_at.script(opacity))
    assert after == pytest.approx(before + 0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page_at, photos, tmp_path, scheme):
    page_at.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    page_at.script((build.PACKAGES / "axe-core" / "axe.min.js").read_text())
    (tmp_path / "empty.jpg").write_bytes(b"")
    page_at.choose(tmp_path / "empty.jpg")
    page_at.problem()
    assert serious_faults(page_at.driver) == []
    page_at.look(photos["plain.png"])
    page_at.script("document.getElementById('card').open = true")
    assert serious_faults(page_at.driver) == []


def rectangle(page: Page, element_id: str) -> np.ndarray:
    """Left, top, right, bottom in pixels of the page."""
    return np.array(
        page.script(
            """const r = document.getElementById(arguments[0]).getBoundingClientRect();
            return [r.left, r.top + scrollY, r.right, r.bottom + scrollY];""",
            element_id,
        )
    )


@pytest.fixture(params=[(1280, 800), (390, 844)], ids=["desktop", "phone"])
def size_wh(page_at, request):
    """Of the window, set for the test."""
    width, height = request.param
    page_at.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1,
         "mobile": width < 500},
    )  # fmt: skip
    yield request.param
    page_at.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("name", ["small.webp", "plain.png", "tall.png", "large.jpg"])
def test_a_photo_fills_its_column_and_box_and_heat_go_with_it(
    page_at, photos, size_wh, name
):
    answer = page_at.look(photos[name])
    width, height = map(int, re.findall(r"(\d+) × (\d+) p", answer.photo)[0])
    left, top, right, bottom = shown = rectangle(page_at, "photo")
    column = page_at.script("return document.querySelector('.stage').clientWidth")
    highest = (0.68 if size_wh[0] == 1280 else 0.55) * size_wh[1]
    expected = min(column, highest * width / height)
    assert right - left == pytest.approx(expected, abs=1)
    assert bottom - top == pytest.approx(expected * height / width, abs=1)
    np.testing.assert_allclose(rectangle(page_at, "heat"), shown, atol=0.5)
    box = [0, 0, width, height] if answer.box is None else answer.box
    drawn = shown[[0, 1, 0, 1]] + np.array(box) * expected / width
    np.testing.assert_allclose(rectangle(page_at, "box"), drawn, atol=2)
    # The whole photo and the answer's beginning, without scrolling.
    assert bottom <= size_wh[1] and rectangle(page_at, "best")[3] <= size_wh[1]


def test_nothing_is_wider_than_the_window(page_at, photos, size_wh):
    page_at.look(photos["tall.png"])
    page_at.script("document.getElementById('card').open = true")
    assert page_at.script("return document.body.scrollWidth") <= size_wh[0]
    shown = page_at.driver.find_element("id", "photo").screenshot_as_png
    assert Image.open(io.BytesIO(shown)).width > 100

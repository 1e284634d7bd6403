"""Photos of any size and orientation in, boxes in their own upright pixels out."""

import json

import numpy as np
import pytest
from PIL import Image

from bas_tf.jobs import experiment, localization, photo_batches
from bas_tf.metrics.confidence import FOUND_CONFIDENCE
from tests.commands import exit_code_in_process

pytestmark = pytest.mark.slow
KEYS = {
    "image", "overlay", "width", "height", "class", "score", "box", "peak",
    "degenerate", "confidence", "found",
}  # fmt: skip
ROTATED = 6  # EXIF orientation: turn the stored pixels clockwise to see them upright


@pytest.fixture(scope="module")
def scenes(demo_workdir) -> list[np.ndarray]:
    """Four of the demo's test drawings."""
    config = experiment.load_experiment(demo_workdir).config
    records = experiment.open_source(config).records("test")
    return [record.load_image() for record in records[:4]]


def save(path, scene, size_wh, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene).resize(size_wh).save(path, **options)
    return path


def read_rows(output) -> list[dict]:
    return json.loads((output / "predictions.json").read_text())


def size_of(path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.fixture(params=["workdir", "saved_model", "tflite"])
def model(request, demo_workdir):
    return {
        "workdir": demo_workdir,
        "saved_model": demo_workdir / "export" / "saved_model",
        "tflite": demo_workdir / "export" / "localizer_float32.tflite",
    }[request.param]


def test_photos_of_odd_sizes(model, scenes, tmp_path):
    sizes = [(101, 57), (64, 64), (33, 240), (640, 480)]
    suffixes = [".png", ".jpg", ".bmp", ".webp"]
    paths = [
        save(tmp_path / f"photo{i}{suffix}", scene, size)
        for i, (scene, size, suffix) in enumerate(
            zip(scenes, sizes, suffixes, strict=True)
        )
    ]
    output = tmp_path / "out"
    rows = localization.localize_photos(str(model), paths, output, class_name=None)
    assert json.loads((output / "predictions.json").read_text()) == rows
    assert sorted(path.name for path in output.iterdir()) == [
        *(f"photo{i}_localized.png" for i in range(4)), "predictions.json",
    ]  # fmt: skip
    for row, path, size in zip(rows, paths, sizes, strict=True):
        assert set(row) == KEYS
        assert (row["image"], row["width"], row["height"]) == (str(path), *size)
        x0, y0, x1, y1 = row["box"]
        assert 0 <= x0 < x1 <= size[0] and 0 <= y0 < y1 <= size[1]
        assert 0 < row["peak"][0] < size[0] and 0 < row["peak"][1] < size[1]
        assert 0 < row["score"] <= 1
        assert size_of(output / row["overlay"]) == size


def test_all_objects_are_listed_and_drawn_the_largest_first(model, scenes, tmp_path):
    """Each scene twice next to itself: the network has seen one object a picture."""
    paths = [
        save(tmp_path / f"{i}.png", np.hstack([scene, scene]), (144, 72))
        for i, scene in enumerate(scenes)
    ]
    one, every = (
        localization.localize_photos(
            str(model),
            paths,
            tmp_path / boxes,
            class_name=None,
            boxes=boxes,
            min_confidence=0,
        )
        for boxes in ("one", "all")
    )
    for row, with_objects in zip(one, every, strict=True):
        found = with_objects.pop("objects")
        assert with_objects == row
        scores = [each["score"] for each in found]
        assert scores[0] == 1 and scores == sorted(scores, reverse=True)
        if not row["degenerate"] and len(found) == 1:
            np.testing.assert_allclose(found[0]["box"], row["box"], atol=144 / 64)
    counts = [len(row["objects"]) for row in read_rows(tmp_path / "all")]
    assert max(counts) > 1
    drawn = {
        (tmp_path / boxes / "0_localized.png").read_bytes() for boxes in ("one", "all")
    }
    assert (len(drawn) == 1) == (counts[0] == 1)


def test_a_workdir_and_its_files_agree_on_photos_of_the_networks_size(
    demo_workdir, scenes, tmp_path
):
    paths = [
        save(tmp_path / f"{i}.png", scene, (64, 64)) for i, scene in enumerate(scenes)
    ]
    rows = {
        name: localization.localize_photos(
            str(demo_workdir / name), paths, tmp_path / "out", class_name=None
        )
        for name in (".", "export/saved_model", "export/localizer_float32.tflite")
    }
    expected = rows.pop(".")
    for others in rows.values():
        for row, other in zip(expected, others, strict=True):
            assert row["class"] == other["class"]
            np.testing.assert_allclose(row["box"], other["box"], atol=1)
            assert row["score"] == pytest.approx(other["score"], abs=1e-4)
            assert row["confidence"] == pytest.approx(other["confidence"], abs=0.01)


def test_an_exif_rotated_jpeg_is_localized_upright(demo_workdir, scenes, tmp_path):
    """1200 x 800 as stored, 800 x 1200 as seen; its twin is turned by NumPy."""
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    stored = save(tmp_path / "phone.jpg", scenes[0], (1200, 800), exif=exif)
    with Image.open(stored) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (800, 1200, 3)
    twin = tmp_path / "twin.png"
    Image.fromarray(np.rot90(pixels, k=-1)).save(twin)
    phone, upright = localization.localize_photos(
        str(demo_workdir), [stored, twin], tmp_path / "out", class_name=None
    )
    assert (phone["width"], phone["height"]) == (800, 1200)
    assert size_of(tmp_path / "out" / "phone_localized.png") == (800, 1200)
    np.testing.assert_allclose(phone["box"], upright["box"], atol=1)
    assert phone["class"] == upright["class"]
    x0, y0, x1, y1 = phone["box"]
    assert 0 <= x0 < x1 <= 800 and 0 <= y0 < y1 <= 1200


def test_grey_and_transparent_photos(demo_workdir, scenes, tmp_path):
    grey, clear = tmp_path / "grey.png", tmp_path / "clear.png"
    Image.fromarray(scenes[0]).convert("L").save(grey)
    Image.fromarray(scenes[0]).convert("RGBA").save(clear)
    rows = localization.localize_photos(
        str(demo_workdir), [grey, clear], tmp_path / "out", class_name=None
    )
    assert [row["width"] for row in rows] == [72, 72]


def test_photos_of_one_name_all_keep_their_overlay(demo_workdir, scenes, tmp_path):
    """The third photo already has the name that the second would get; A is not a."""
    sizes = [(40, 40), (50, 50), (60, 60), (70, 70)]
    names = ["a/cat.png", "b/cat.jpg", "a/cat_2.png", "c/CAT.png"]
    paths = [
        save(tmp_path / name, scene, size)
        for name, scene, size in zip(names, scenes, sizes, strict=True)
    ]
    output = tmp_path / "out"
    localization.localize_photos(str(demo_workdir), paths, output, class_name=None)
    overlays = [size_of(path) for path in output.glob("*.png")]
    assert sorted(overlays) == sizes


def test_a_given_class_is_the_one_localized(demo_workdir, scenes, tmp_path):
    """The predicted class, given, changes nothing; another has a lower score."""
    paths = [save(tmp_path / "a.png", scenes[0], (90, 70))]

    def localize(class_name):
        (row,) = localization.localize_photos(
            str(demo_workdir), paths, tmp_path / "out", class_name=class_name
        )
        return row

    predicted = localize(None)
    given = localize(predicted["class"])
    assert given["class"] == predicted["class"]
    assert given["score"] == pytest.approx(predicted["score"], abs=1e-5)
    np.testing.assert_allclose(given["box"], predicted["box"], atol=90 / 64)
    classes = experiment.load_experiment(demo_workdir).class_names
    other = localize(next(name for name in classes if name != predicted["class"]))
    assert other["class"] != predicted["class"]
    assert other["score"] < predicted["score"]


def test_what_is_not_found_has_a_box_that_is_not_drawn(
    demo_workdir, scenes, tmp_path, monkeypatch
):
    path = save(tmp_path / "a.png", scenes[0], (90, 70))

    def localize(*flags):
        output = tmp_path / "".join(flags)
        args = [f"--model={demo_workdir}", f"--output={output}", *flags, path]
        assert exit_code_in_process(monkeypatch, "bas_tf.localize", *args) == 0
        (row,) = json.loads((output / "predictions.json").read_text())
        return row, (output / row["overlay"]).read_bytes()

    row, default = localize()
    found, boxed = localize("--min_confidence=0")
    lost, bare = localize("--min_confidence=1")
    assert found["found"] and not lost["found"] and boxed != bare
    assert found == lost | {"found": True}
    assert row["found"] == (row["confidence"] >= FOUND_CONFIDENCE)
    assert default == (boxed if row["found"] else bare)


def test_the_command_takes_a_class_and_several_photos(
    demo_workdir, scenes, tmp_path, monkeypatch, capsys
):
    paths = [save(tmp_path / f"{i}.jpg", scenes[i], (80, 60)) for i in range(2)]
    output = tmp_path / "out"
    class_name = experiment.load_experiment(demo_workdir).class_names[3]
    code = exit_code_in_process(
        monkeypatch, "bas_tf.localize", f"--model={demo_workdir}",
        f"--output={output}", f"--class={class_name}", *paths,
    )  # fmt: skip
    told = capsys.readouterr()
    assert code == 0, told.err
    assert told.out == f"{output}: 2 overlays and predictions.json\n"
    rows = json.loads((output / "predictions.json").read_text())
    assert [row["class"] for row in rows] == [class_name] * 2


def test_a_bad_photo_is_named_and_costs_the_good_ones_nothing(
    demo_workdir, scenes, tmp_path, monkeypatch, capsys, caplog
):
    good = save(tmp_path / "photos" / "good.jpg", scenes[0], (80, 60))
    bad = tmp_path / "photos" / "bad.jpg"
    bad.write_bytes(good.read_bytes()[:600])
    output = tmp_path / "out"
    code = exit_code_in_process(
        monkeypatch, "bas_tf.localize", f"--model={demo_workdir}",
        f"--output={output}", good.parent,
    )  # fmt: skip
    assert code == 2
    assert f"{bad}: not a readable image" in caplog.text
    assert "1 of 2 photos" in capsys.readouterr().err
    (row,) = json.loads((output / "predictions.json").read_text())
    assert row["image"] == str(good)


def test_batches_answer_as_one_photo_does(demo_workdir, scenes, tmp_path, monkeypatch):
    paths = [
        save(tmp_path / f"{i}.png", scene, (90 + i, 70))
        for i, scene in enumerate(scenes)
    ]

    def localize(batch):
        monkeypatch.setattr(photo_batches, "BATCH", batch)
        return localization.localize_photos(
            str(demo_workdir), paths, tmp_path / "out", class_name=None
        )

    for one, of_many in zip(localize(1), localize(3), strict=True):
        assert one["image"] == of_many["image"]
        np.testing.assert_allclose(one["box"], of_many["box"], atol=90 / 64)


def test_any_name_that_a_photo_can_have(demo_workdir, scenes, tmp_path, monkeypatch):
    names = ["m" * 251 + ".jpg", "é" * 125 + ".jpg", "-x.jpg", "été カブトムシ.jpg"]
    for name in names:
        save(tmp_path / "plain.jpg", scenes[0], (80, 60)).rename(tmp_path / name)
    monkeypatch.setenv("HOME", str(tmp_path))
    flags = (f"--model={demo_workdir}", "--output=~/found", "--")
    code = exit_code_in_process(
        monkeypatch, "bas_tf.localize", *flags, *names, cwd=tmp_path
    )
    assert code == 0
    rows = json.loads((tmp_path / "found" / "predictions.json").read_text())
    assert [row["image"] for row in rows] == names
    for row in rows:
        assert size_of(tmp_path / "found" / row["overlay"]) == (80, 60)

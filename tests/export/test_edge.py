"""What devices copy: the same boxes as here, by three packages and in little memory."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from bas_tf.export.litert import conversion
from bas_tf.jobs import localization
from export.edge import camera, photo
from export.edge.edge_localizer import FORMAT, EdgeLocalizer, Localization

REPO = Path(__file__).parent.parent.parent
EDGE = REPO / "export" / "edge"
FILES = ("edge_localizer.py", "photo.py", "camera.py")
LABELS = ["red", "green", "blue"]
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
# Where the small network below sees each colour, of its 8 x 8 pixels.
BOXES = {"red": (0, 0, 4, 8), "green": (4, 0, 8, 8), "blue": (2, 4, 6, 8)}
INPUT_TYPES = ("float32", "uint8", "int8")  # of int8, the pixel less 128


class ColorNetwork(tf.Module):
    """Scores are softmax(share of each colour), the box a sum of BOXES so weighted."""

    def __init__(self, dtype, leave_out=()):
        super().__init__()
        self.leave_out = leave_out
        spec = tf.TensorSpec([1, 8, 8, 3], dtype, name="images")
        self.serve = tf.function(self._serve, input_signature=[spec])

    def _serve(self, images):
        pixels = tf.cast(images, tf.float32) + (128 if images.dtype == tf.int8 else 0)
        shares = pixels / 255.0
        means = tf.reduce_mean(shares, [1, 2])  # [1, 3]
        scores, class_ids = tf.math.top_k(tf.nn.softmax(4 * means), k=3)
        grey = tf.nn.avg_pool2d(tf.reduce_mean(shares, 3, keepdims=True), 2, 2, "VALID")
        outputs = {
            "class_ids": class_ids,
            "scores": scores,
            "boxes": tf.matmul(means, tf.constant(list(BOXES.values()), tf.float32)),
            "degenerate": tf.reduce_max(grey, [1, 2, 3]) == tf.reduce_min(grey),
            "localization_map": grey,  # [1, 4, 4, 1]
        }
        return {k: value for k, value in outputs.items() if k not in self.leave_out}


def written(network: ColorNetwork, path: Path) -> Path:
    """A .tflite file of the network, as the exporter writes it."""
    path.write_bytes(conversion.convert(network.serve, ["none"])["none"])
    return append_archive(path)


def append_archive(path: Path, **settings) -> Path:
    """Adds what the exporter adds to a .tflite file."""
    settings = {"format": FORMAT, "class_names": LABELS, **settings}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "\n".join(LABELS) + "\n")
        archive.writestr("bas_tf.json", json.dumps(settings))
    return path


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> dict[str, Path]:
    """{input type: a .tflite file of the small network}."""
    folder = tmp_path_factory.mktemp("networks")
    return {
        kind: written(ColorNetwork(tf.as_dtype(kind)), folder / f"{kind}.tflite")
        for kind in INPUT_TYPES
    }


def solid(name: str, size_wh=(20, 40)) -> np.ndarray:
    return np.full([size_wh[1], size_wh[0], 3], COLORS[name], np.uint8)


def run(*args, cwd=REPO, **options) -> subprocess.CompletedProcess:
    """A Python process that finds this repository only where it stands in it."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=cwd, env=env, capture_output=True, text=True, timeout=60, **options,
    )  # fmt: skip


def error_line(done: subprocess.CompletedProcess) -> str:
    """The one line of a user's mistake, LiteRT's greeting aside."""
    assert done.returncode == 2, done.stderr
    lines = [x for x in done.stderr.splitlines() if not x.startswith("INFO: Created")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", INPUT_TYPES)
def test_each_type_of_tensors_gives_the_class_and_the_box(networks, kind):
    localizer = EdgeLocalizer(networks[kind])
    assert localizer._dtype == np.dtype(kind)
    for name in LABELS:
        found = localizer.localize(solid(name))
        assert found.class_name == name
        # The frame has 20 x 40 pixels, the network 8 x 8.
        expected = np.multiply(BOXES[name], [2.5, 5, 2.5, 5])
        np.testing.assert_allclose(found.box, expected, atol=0.2)
        # softmax(4, 0, 0) = e^4, 1, 1 over e^4 + 2
        assert found.score == pytest.approx(0.9647, abs=0.01)
        assert found.top[0] == (name, found.score)
        assert [score for _, score in found.top] == pytest.approx(
            [0.9647, 0.0177, 0.0177], abs=0.01
        )
        assert {other for other, _ in found.top} == set(LABELS)
        assert found.localization_map.shape == (4, 4)
        np.testing.assert_allclose(found.localization_map, 1 / 3, atol=0.01)
        assert found.degenerate is True


def test_a_map_that_varies_is_not_degenerate_and_keeps_its_place(networks):
    frame = np.zeros([40, 40, 3], np.uint8)
    frame[:20, 20:] = 255
    found = EdgeLocalizer(networks["int8"]).localize(frame)
    assert found.degenerate is False
    expected = np.zeros([4, 4])
    expected[:2, 2:] = 1
    np.testing.assert_allclose(found.localization_map, expected, atol=0.15)


@pytest.mark.parametrize("size_wh", [(1, 1), (1920, 1080), (8, 8), (3, 700)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_the_box_is_finite_and_in_the_frame(networks, size_wh, value):
    frame = np.full([size_wh[1], size_wh[0], 3], value, np.uint8)
    found = EdgeLocalizer(networks["uint8"]).localize(frame)
    assert np.isfinite(found.box).all()
    x0, y0, x1, y1 = found.box
    assert 0 <= x0 <= x1 <= size_wh[0] and 0 <= y0 <= y1 <= size_wh[1]
    if value == 255:  # all three boxes added: 6, 4, 18, 24, clipped to 8 x 8
        expected = np.multiply([6, 4, 8, 8], np.tile(size_wh, 2)) / 8
        np.testing.assert_allclose(found.box, expected, rtol=1e-6)


def test_a_pillow_image_is_the_same_frame(networks):
    localizer = EdgeLocalizer(networks["float32"])
    pixels = np.random.default_rng(0).integers(0, 256, [30, 50, 3]).astype(np.uint8)
    expected = localizer.localize(pixels)
    for mode in ("RGB", "RGBA"):
        found = localizer.localize(Image.fromarray(pixels).convert(mode))
        assert (found.box, found.top) == (expected.box, expected.top)
    assert localizer.localize(Image.new("L", (4, 4), 255)).box == (3, 2, 4, 4)


@pytest.mark.parametrize(
    "frame, told",
    [
        (np.zeros([4, 4], np.uint8), "a frame of uint8 [4, 4]; give uint8 [height"),
        (np.zeros([4, 4, 4], np.uint8), "a frame of uint8 [4, 4, 4]"),
        (np.zeros([4, 4, 3], np.float32), "a frame of float32 [4, 4, 3]"),
        (np.zeros([0, 4, 3], np.uint8), "a frame of [0, 4, 3]; give at least one"),
        (Image.new("I;16", (4, 4)), "a frame of mode I;16; give 8 bits"),
    ],
)
def test_other_frames_are_refused(networks, frame, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        EdgeLocalizer(networks["uint8"]).localize(frame)


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        EdgeLocalizer(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_that_is_none_of_ours_is_named_in_one_line(networks, tmp_path):
    front_lost = b"\0" * 900 + networks["uint8"].read_bytes()[900:]
    for name, content, archive, told in [
        ("text", b"hello\n" * 50, None, "no class names at its end"),
        ("front", front_lost, None, "not a localizer's network ("),
        ("plain", b"no network at all", {}, "not a localizer's network ("),
        ("other", b"", {"format": "bas_tf localizer 9"}, "its format is 'bas_tf loc"),
        ("edited", b"", {"class_names": ["red", "blue"]}, "labels.txt and bas_tf.json"),
    ]:
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        if archive is not None:
            append_archive(path, **archive)
        line = refusal(path)
        assert line.startswith(f"{path}: {told}"), line
        assert "export it again with `python -m export.tflite`" in line
    assert f"{tmp_path}/lost: No such file" in refusal(tmp_path / "lost")
    assert f"{tmp_path}: Is a directory" in refusal(tmp_path)


def test_a_network_without_boxes_is_refused(tmp_path):
    network = ColorNetwork(tf.uint8, leave_out=("boxes", "degenerate"))
    path = written(network, tmp_path / "bare.tflite")
    told = f"{path}: takes images and gives class_ids, localization_map, scores; this"
    assert told in refusal(path)


def test_a_file_cut_anywhere_is_refused(networks, tmp_path):
    content = networks["uint8"].read_bytes()
    path = tmp_path / "cut.tflite"
    for length in range(0, len(content), len(content) // 97):
        path.write_bytes(content[:length])
        assert "cut.tflite: no class names at its end (cut off" in refusal(path)


def test_no_threads_are_refused(networks):
    with pytest.raises(ValueError, match="num_threads is 0; give at least 1"):
        EdgeLocalizer(networks["uint8"], num_threads=0)


@pytest.fixture
def device(tmp_path) -> Path:
    """A folder with copies of the files, as a device has them."""
    for name in FILES:
        shutil.copy(EDGE / name, tmp_path)
    return tmp_path


def test_a_copy_needs_no_other_file_and_little_memory(networks, device):
    script = (
        "import json, re, sys, numpy as np\n"
        "import camera, photo\n"
        "from edge_localizer import EdgeLocalizer\n"
        "found = EdgeLocalizer(sys.argv[1]).localize(np.zeros([4, 4, 3], np.uint8))\n"
        "status = open('/proc/self/status').read()\n"
        "print(json.dumps({'modules': sorted({m.split('.')[0] for m in sys.modules}),"
        " 'KiB': int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]), 'box': found.box}))\n"
    )
    done = run("-c", script, networks["int8"], cwd=device)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    heavy = {"tensorflow", "keras", "bas_tf", "export", "absl", "cv2"}
    assert heavy & set(told["modules"]) == set()
    assert told["KiB"] < 150 * 1024
    assert told["box"] == [0, 0, 0, 0]


def save_rotated(path: Path, name: str) -> None:
    """A photo of 30 x 20 stored pixels that a viewer shows as 20 x 30."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(solid(name, (30, 20))).save(path, exif=exif)


def test_photos_become_lines_and_overlays(networks, tmp_path):
    save_rotated(tmp_path / "a.png", "red")
    (tmp_path / "more").mkdir()
    Image.fromarray(solid("blue", (800, 600))).save(tmp_path / "more" / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    done = run(
        "-m", "export.edge.photo", networks["uint8"], tmp_path / "a.png",
        tmp_path / "more" / "a.png", f"--output={tmp_path}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    whole = " (whole frame: no object found)"  # the network's map is constant
    assert first == (
        f"{tmp_path}/a.png: red 0.965 [0.0 0.0 10.0 30.0]{whole} {tmp_path}/a_found.png"
    )
    assert "blue 0.965 [200.0 300.0 600.0 600.0]" in second
    assert second.endswith("/a_found_2.png")
    assert (tmp_path / "a.png").read_bytes() == before
    small = np.asarray(Image.open(tmp_path / "a_found.png"))
    assert small.shape == (30, 20, 3)
    cyan = (small == (0, 229, 255)).all(axis=2)
    assert cyan[[0, 29], :10].all() and cyan[:, [0, 9]].all() and not cyan[:, 10:].any()
    large = np.asarray(Image.open(tmp_path / "a_found_2.png"))
    assert (large[0, 0] == (0, 0, int(255 * 0.35))).all()  # dark outside the map
    assert (large[300, 200:600] == (0, 229, 255)).all()


def test_scripts_run_next_to_each_other_on_a_device(networks, device):
    Image.fromarray(solid("green")).save(device / "leaf.png")
    done = run("photo.py", networks["int8"], "leaf.png", "--output=out", cwd=device)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("leaf.png: green 0.9")
    assert (device / "out" / "leaf_found.png").is_file()


@pytest.mark.parametrize("module", ["photo", "camera"])
def test_help_shows_the_commands(module):
    done = run("-m", f"export.edge.{module}", "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert f"python -m export.edge.{module} MODEL.tflite" in done.stdout


def test_mistakes_at_photo_are_one_line(networks, tmp_path):
    model, photo = networks["uint8"], tmp_path / "p.png"
    Image.fromarray(solid("red")).save(photo)
    text = tmp_path / "note.jpg"
    text.write_text("not a photo")
    cut = tmp_path / "cut.png"
    cut.write_bytes(photo.read_bytes()[:60])
    deep = tmp_path / "deep.png"
    Image.new("I;16", (4, 4)).save(deep)
    output = f"--output={tmp_path / 'out'}"
    cases = [
        ([], "the following arguments are required: MODEL, PHOTO, --output"),
        ([model, photo], "the following arguments are required: --output"),
        ([tmp_path / "lost", photo, output], "lost: No such file"),
        ([model, tmp_path / "lost.jpg", output], "lost.jpg: no such file"),
        ([model, text, output], "note.jpg: not a readable photo"),
        ([model, cut, output], "cut.png: not a readable photo"),
        ([model, deep, output], "deep.png: has more than 8 bits a channel"),
        ([model, photo, f"--output={text}"], "p_found.png: cannot be written"),
        ([model, photo, output, "--threads=0"], "num_threads is 0"),
    ]
    for args, told in cases:
        assert told in error_line(run("-m", "export.edge.photo", *args))
    assert not (tmp_path / "out").exists()


def next_row(process) -> dict:
    return json.loads(process.stdout.readline())


@pytest.mark.slow
def test_frames_of_a_folder_are_told_as_they_appear(networks, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.fromarray(solid("red")).save(folder / "0.png")
    process = subprocess.Popen(
        [sys.executable, "-m", "export.edge.camera", networks["uint8"],
         f"--folder={folder}", "--frames=4", "--poll=0.3"],
        cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    no_hang = threading.Timer(30, process.kill)  # a lost row is then a failure
    no_hang.start()
    try:
        row = next_row(process)
        assert row.pop("seconds") < 1
        assert row.pop("score") == pytest.approx(0.9647, abs=1e-3)
        assert row == {
            "frame": str(folder / "0.png"), "class": "red",
            "box": [0, 0, 10, 40], "degenerate": True,
        }  # fmt: skip
        Image.fromarray(solid("green", (64, 32))).save(tmp_path / "whole.png")
        content = (tmp_path / "whole.png").read_bytes()
        for start in range(0, len(content), len(content) // 12):
            with open(folder / "1.png", "ab") as file:  # a slow camera
                file.write(content[start:][: len(content) // 12])
            time.sleep(0.05)
        row = next_row(process)
        assert (row["frame"], row["class"]) == (str(folder / "1.png"), "green")
        assert row["box"] == [32, 0, 64, 32]
        (folder / "0.png").unlink()
        Image.fromarray(solid("blue", (8, 8))).save(folder / "1.png")  # written anew
        assert next_row(process)["class"] == "blue"
        (folder / "note.txt").write_text("not a photo")
        time.sleep(0.9)
        Image.fromarray(solid("red")).save(folder / "0.png")
        assert next_row(process)["class"] == "red"
        out, err = process.communicate(timeout=20)
    finally:
        no_hang.cancel()
        process.kill()
    assert (out, process.returncode) == ("", 0)
    assert f"skipped: {folder / 'note.txt'}: not a readable photo" in err
    assert err.count("skipped") == 1


def test_raw_frames_of_another_program(networks):
    """As ffmpeg writes them; no camera is at hand where tests run."""
    writes = (
        "import sys; b = bytes([255, 0, 0] * 6) + bytes([0, 0, 255] * 6) + b'cut'\n"
        "sys.stdout.buffer.write(b)"
    )
    frames = list(camera.raw_frames([sys.executable, "-c", writes], (3, 2)))
    assert [number for number, _ in frames] == [0, 1]
    assert [frame.shape for _, frame in frames] == [(2, 3, 3)] * 2
    assert (frames[0][1] == COLORS["red"]).all()
    assert (frames[1][1] == COLORS["blue"]).all()


def test_a_camera_program_that_fails_is_told(tmp_path):
    fails = "import sys; print('at first'); sys.exit('no such camera')"
    with pytest.raises(ValueError, match="python.*: no such camera"):
        list(camera.raw_frames([sys.executable, "-c", fails], (640, 480)))


def test_mistakes_at_camera_are_one_line(networks, tmp_path):
    model = networks["uint8"]
    cases = [
        ([model], "one of the arguments --folder --device is required"),
        ([model, f"--folder={tmp_path}", "--device=/dev/video0"], "not allowed with"),
        ([model, f"--folder={tmp_path / 'lost'}"], "lost: No such file"),
        ([model, "--device=/dev/video0", "--size=640"], "640: give WIDTHxHEIGHT"),
        ([model, "--device=/dev/video0", "--size=0x9"], "0: give at least 1"),
        ([model, f"--folder={tmp_path}", "--frames=0"], "0: give at least 1"),
        ([tmp_path / "lost", f"--folder={tmp_path}"], "lost: No such file"),
    ]
    for args, told in cases:
        assert told in error_line(run("-m", "export.edge.camera", *args))


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["float32", "int8"])
def test_a_device_finds_what_this_machine_finds(
    demo_workdir, photo_folder, tmp_path, quantization
):
    """An exported file gives class, score and box of `bas_tf.localize`."""
    exported = demo_workdir / "export" / f"localizer_{quantization}.tflite"
    photos = sorted(photo_folder.rglob("*.jpg"))
    rows = localization.localize_photos(
        str(exported), photos, tmp_path / "found", class_name=None
    )
    localizer = EdgeLocalizer(exported)
    assert len(rows) == 10
    for row, path in zip(rows, photos, strict=True):
        found = localizer.localize(Image.open(path))
        assert found.class_name == row["class"]
        assert found.score == pytest.approx(row["score"])
        assert found.degenerate == row["degenerate"]
        np.testing.assert_allclose(found.box, row["box"], atol=0.006)  # rounded there


@pytest.mark.parametrize("name, drawn_as", [
    ("été", "ete"), ("e\N{COMBINING ACUTE ACCENT}", "e"), ("猫", "?"), ("🐱", "?"),
])  # fmt: skip
def test_a_label_has_no_letter_that_the_font_lacks(name, drawn_as):
    def overlay(class_name):
        box, scores = (20, 40, 180, 140), np.eye(2, dtype=np.float32)
        found = Localization(class_name, 0.9, ((class_name, 0.9),), box, False, scores)
        return photo.overlay(Image.new("RGB", (200, 160), "green"), found)

    assert overlay(name).tobytes() == overlay(drawn_as).tobytes()
    assert overlay(name).tobytes() != overlay("other").tobytes()


def test_a_heic_that_is_not_read_says_what_would(tmp_path):
    path = tmp_path / "phone.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    with pytest.raises(ValueError, match="phone.heic: .*pip install pillow-heif"):
        photo.open_photo(path)

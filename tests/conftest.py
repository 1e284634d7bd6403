"""Fixtures that several rooms' tests share."""

import ctypes
import fcntl
import gc
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow's own on x86 never gives memory back: a worker would keep its highest peak.
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")

import numpy as np
import psutil
import pytest
import tensorflow as tf
from PIL import Image

from tests.commands import exit_code_in_process, only_error_line, run_command
from tests.fixtures import networks

# torch's CUDA builds bring triton, whose LLVM and TensorFlow's crash in one process.
sys.modules.setdefault("triton", None)
# Two logical processors stand for two GPUs in the tests of tf.distribute.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)

REPO = Path(__file__).parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """What a test logs of a file's name that is no text reaches another process too."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode())
        for title, text in report.sections
    ]
    return report


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: no worker ends long before the others."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="module", autouse=True)
def memory_given_back():
    """What large networks of a file took, before the next one."""
    yield
    if psutil.Process().memory_info().rss > 1.5e9:
        gc.collect()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
        if trim:
            trim(0)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Recorded reference numbers and real photos, next to the repository."""
    folder = REPO.parent / "shared"
    if not folder.is_dir():
        pytest.skip(
            f"{folder.name}/ with recorded numbers is not next to the repository"
        )
    return folder


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A Selenium driver of headless Chromium."""
    from tests.export.web import page_session

    if missing := page_session.missing():
        pytest.skip(f"{' and '.join(missing)}: not installed")
    driver = page_session.start_chromium(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs a command inside this process: (exit code, standard output, error)."""

    def run(module: str, *args) -> tuple[int, str, str]:
        code = exit_code_in_process(monkeypatch, module, *args)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def error_line(command):
    """Runs a command that must exit 2 and print nothing else than its one line."""

    def run(module: str, *args) -> str:
        code, out, err = command(module, *args)
        assert (code, out) == (2, ""), err
        return only_error_line(err)

    return run


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def in_float64():
    with networks.in_float64():
        yield


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """A folder source: two classes, six training and four validation JPEGs, boxes.

    Every photo is 80 x 60 with a bright 20 x 20 square at (10 + 4 i, 20).
    """
    root, rows = tmp_path / "photos", ["image,x_min,y_min,x_max,y_max"]
    for split, count in (("train", 3), ("val", 2)):
        for c, name in enumerate(("cat", "dog")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                image = np.full([60, 80, 3], 40, np.uint8)
                image[20:40, 10 + 4 * i : 30 + 4 * i, c] = 230
                Image.fromarray(image).save(folder / f"{i}.jpg", quality=95)
                rows.append(f"{split}/{name}/{i}.jpg,{10 + 4 * i},20,{30 + 4 * i},40")
    (root / "boxes.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def latin1_name(tmp_path: Path) -> str:
    """A file's name that is not UTF-8, "caf\\udce9" to Python."""
    name = os.fsdecode(b"caf\xe9")
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    (tmp_path / name).unlink()
    return name


@pytest.fixture
def latin1_photo(photo_folder: Path, latin1_name: str) -> Path:
    """One more photo, without a box: val/cat/`latin1_name`.jpg of `photo_folder`."""
    folder = photo_folder / "val" / "cat"
    return shutil.copy(folder / "0.jpg", folder / f"{latin1_name}.jpg")


@pytest.fixture(scope="session")
def demo_workdir(tmp_path_factory) -> Path:
    """What the quick demo leaves behind; for reading only.

    Trained, evaluated and exported in its own process, as a user does it. It is
    asked for ten crops, which it turns off.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # all workers of a run share one
        root = root.parent
    workdir, made = root / "demo" / "run", root / "demo" / "made"
    workdir.parent.mkdir(exist_ok=True)
    with open(root / "demo.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            done = run_command(
                "export.demo", "--config=configs/demo.py:quicktest",
                f"--workdir={workdir}", "--config.eval.ten_crop=True",
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            made.touch()
    return workdir

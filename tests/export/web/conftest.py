"""The built page, and a site of the quick demo's files."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bas_tf.export.web import build, site


@pytest.fixture(scope="session")
def page() -> Path:
    """The built page; skips where there is no npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    return build.built_page()


@pytest.fixture(scope="session")
def compiled(page, tmp_path_factory) -> Path:
    """A folder with some of the sources as JavaScript, to run each by itself."""
    folder = tmp_path_factory.mktemp("compiled")
    names = ("resize", "heat", "score", "confidence", "classes")
    sources = [build.PAGE / "src" / f"{name}.ts" for name in names]
    subprocess.run(
        [shutil.which("node"), build.PACKAGES / "typescript" / "bin" / "tsc",
         "--ignoreConfig", "--target", "es2022", "--outDir", folder, *sources],
        check=True,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def run_compiled(compiled):
    """Runs a script next to one of the sources, in a folder: what it prints."""

    def run(source: str, script: str, folder: Path, *args: str) -> bytes:
        shutil.copy(compiled / f"{source}.js", folder / f"{source}.mjs")
        (folder / "run.mjs").write_text(script)
        command = [shutil.which("node"), folder / "run.mjs", folder, *args]
        return subprocess.check_output(command)

    return run


@pytest.fixture(scope="session")
def artifacts(localizer_files, given_class_files, tmp_path_factory) -> Path:
    """Float32 and int8 files of the quick demo, those of a given class among them."""
    folder = tmp_path_factory.mktemp("artifacts")
    for path in localizer_files["none"].parent.iterdir():
        if path.is_file() and path.suffix != ".onnx":
            shutil.copy(path, folder)
    for path in given_class_files.values():
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="session")
def site_folder(page, artifacts, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    models = site.find_models(artifacts, quantize="none")
    site.write_site(page, models, folder)
    return folder

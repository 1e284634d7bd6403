"""A site's folder: the built page, the models it runs and what they say of themselves.

Its site.json has "format"; "localizer" and "given_class" (None without one), each with
"file", "bytes", "sha256" and the file's own "document"; and "card", the model card's
name or None.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

from bas_tf import runners
from bas_tf.errors import UserError
from export import tflite

FORMAT = "bas_tf page 1"
SITE_FILE, PRECACHE_FILE = "site.json", "precache.js"
MODEL_CARD = "model_card.md"  # as export.model_card, which loads TensorFlow, has it
CARD_FILE = "model_card.txt"  # a browser shows text and saves Markdown
MODELS, RUNTIME = "models", "wasm"
BEST_FIRST = ("int8", "float16", "none", "dynamic")  # small, and true to the training
LOCALIZER, GIVEN_CLASS = "localizer", "given_class"
_VARIANTS = {LOCALIZER: "full", GIVEN_CLASS: "given_class"}  # of tflite.PREFIXES


def find_models(artifacts: Path, *, quantize: str | None = None) -> dict[str, Path]:
    """The files that the page runs: LOCALIZER and, where there is one, GIVEN_CLASS.

    Args:
      artifacts: a folder that `export.tflite` wrote to.
      quantize: of `tflite.QUANTIZATIONS`; None takes the first of BEST_FIRST that is
        there, GIVEN_CLASS preferably as LOCALIZER.

    Raises:
      UserError: no such folder, or no file for LOCALIZER in it.
    """
    if not artifacts.is_dir():
        raise UserError(f"--artifacts={artifacts}: no such folder")
    wanted = BEST_FIRST if quantize is None else (quantize,)
    found = {}
    for key, variant in _VARIANTS.items():
        for quantization in wanted:
            path = artifacts / tflite.file_name(variant, quantization, "uint8")
            if path.is_file():
                found[key] = path
                wanted = (quantization, *wanted)
                break
    if LOCALIZER not in found:
        names = [tflite.file_name("full", choice, "uint8") for choice in wanted]
        raise UserError(
            f"--artifacts={artifacts}: has no {' or '.join(names)}; export.tflite "
            "writes them"
        )
    return found


def check_output(output: Path) -> None:
    """Refuses a place where a site would overwrite something else.

    Raises:
      UserError: it is a file, or a folder with anything but a site in it.
    """
    if output.is_dir():
        is_free = (output / SITE_FILE).is_file() or not any(output.iterdir())
    else:
        is_free = not output.exists()
    if not is_free:
        raise UserError(
            f"--output={output}: is there and is no site; name a new folder, or one "
            "that export.web wrote"
        )


def write_site(page: Path, models: dict[str, Path], output: Path) -> None:
    """Writes a site whole, in place of the one that was there, or not at all.

    Args:
      page: of `build.built_page`.
      models: of `find_models`, whose model card lies beside them or is left out.
      output: that `check_output` accepts.

    Raises:
      UserError: a model is not a localizer's, or the folder cannot be written.
    """
    described = {key: _described(path) for key, path in models.items()}
    output = Path(os.path.abspath(output))
    new, old = (
        output.with_name(f".{output.name}.{os.getpid()}.{state}")
        for state in ("new", "old")
    )
    try:
        _fill(new, page, models, described)
        if output.is_dir():
            output.rename(old)
        new.rename(output)
    except OSError as error:
        if old.is_dir():
            old.rename(output)
        raise UserError(
            f"--output={output}: cannot be written ({error.strerror})"
        ) from error
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


def _described(path: Path) -> dict:
    document = runners.read_tflite_document(path)
    content = path.read_bytes()
    return {
        "file": f"{MODELS}/{path.name}",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "document": document,
    }


def _fill(
    folder: Path, page: Path, models: dict[str, Path], described: dict[str, dict]
) -> None:
    shutil.copytree(page, folder, ignore=shutil.ignore_patterns(".*"))
    (folder / MODELS).mkdir()
    for key, path in models.items():
        shutil.copyfile(path, folder / described[key]["file"])
    card = models[LOCALIZER].with_name(MODEL_CARD)
    if card.is_file():
        shutil.copyfile(card, folder / CARD_FILE)
    document = {
        "format": FORMAT,
        LOCALIZER: described[LOCALIZER],
        GIVEN_CLASS: described.get(GIVEN_CLASS),
        "card": CARD_FILE if card.is_file() else None,
    }
    (folder / SITE_FILE).write_text(json.dumps(document, indent=2) + "\n")
    (folder / PRECACHE_FILE).write_text(f"const SITE = {_precache(folder)};\n")


def _precache(folder: Path) -> str:
    """JSON for the page's sw.js: what it keeps, and a version of all there is.

    The runtime has a file for each kind of browser; the page tells which it took.
    """
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    )
    version = hashlib.sha256()
    for name in names:
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        version.update(f"{name} {digest}\n".encode())
    kept = [name for name in names if not name.startswith(f"{RUNTIME}/")]
    kept.remove("sw.js")
    return json.dumps({"version": version.hexdigest()[:16], "files": ["./", *kept]})

"""A site's folder: the built page, the models it runs and what they say of themselves.

Its site.json has "format"; "localizer" and "given_class" (None without one), each with
"file", "bytes", "sha256" and the file's own "document"; and "card", the model card's
name or None.
"""

import gzip
import hashlib
import json
import os
import shutil
from pathlib import Path

from bas_tf import names
from bas_tf.errors import UserError
from bas_tf.export.artifacts import folders
from bas_tf.export.litert import conversion
from bas_tf.runners import tflite_document

FORMAT = "bas_tf page 1"
SITE_FILE, PRECACHE_FILE = "site.json", "precache.js"
MODEL_CARD = "model_card.md"  # as artifacts.model_card, which loads TensorFlow, has it
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
    localizers = [conversion.file_name("full", choice, "uint8") for choice in wanted]
    found = {}
    for key, variant in _VARIANTS.items():
        for quantization in wanted:
            path = artifacts / conversion.file_name(variant, quantization, "uint8")
            if path.is_file():
                found[key] = path
                wanted = (quantization, *wanted)
                break
    if LOCALIZER not in found:
        raise UserError(
            f"--artifacts={artifacts}: has no {' or '.join(localizers)}; export.tflite "
            "writes them"
        )
    return found


def check_output(output: Path) -> None:
    """Refuses a place where a site would overwrite something else.

    Raises:
      UserError: it is a file, or a folder with anything but a site in it.
    """
    hint = "no site; name a new folder, or one that export.web wrote"
    folders.check_replaceable(output, SITE_FILE, hint)


def write_site(page: Path, models: dict[str, Path], output: Path) -> None:
    """Writes a site whole, in place of the one that was there, or not at all.

    Args:
      page: of `build.built_page`.
      models: of `find_models`, whose model card lies next to them or is left out.
      output: that `check_output` accepts; a link stays one, to a folder that is
        replaced.

    Raises:
      UserError: a model is not a localizer's, the two are not of one training, or the
        folder cannot be written.
    """
    described = {key: _described(path) for key, path in models.items()}
    if GIVEN_CLASS in models:
        _check_one_training(models, described)
    place = Path(os.path.realpath(output))
    new, old = (folders.hidden_name(place, state) for state in ("new", "old"))
    try:
        _fill(new, page, models, described)
        folders.replace_folder(new, place)
    except OSError as error:
        kept = f"; the site that was there is now {old}" if old.is_dir() else ""
        raise UserError(
            f"--output={output}: cannot be written ({_reason(error)}){kept}"
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _check_one_training(models: dict[str, Path], described: dict[str, dict]) -> None:
    """Refuses a file for a given class that another training left in the folder."""
    ours, other = (
        _shared(described[key]["document"]) for key in (LOCALIZER, GIVEN_CLASS)
    )
    for what, value in ours.items():
        if other[what] != value:
            raise UserError(
                f"{models[GIVEN_CLASS]}: not of the same {what} as "
                f"{models[LOCALIZER].name}; export both from one workdir with "
                "export.tflite --given_class, or delete it"
            )


def _shared(document: dict) -> dict:
    """What two files of one training both say of themselves."""
    image = document["inputs"][names.IMAGES]
    return {
        "classes": document["class_names"],
        "image size": (image["width"], image["height"]),
        "training": document["training"],
    }


def _reason(error: OSError) -> str:
    if isinstance(error, shutil.Error):  # of a folder: source, target, reason of each
        return error.args[0][0][2]
    return error.strerror


def _described(path: Path) -> dict:
    document = tflite_document.read_tflite_document(path)
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
    for path in folder.rglob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    (folder / MODELS).mkdir()
    for key, path in models.items():
        copied = shutil.copyfile(path, folder / described[key]["file"])
        compressed = gzip.compress(copied.read_bytes(), mtime=0)
        copied.with_name(f"{copied.name}.gz").write_bytes(compressed)
    card = models[LOCALIZER].with_name(MODEL_CARD)
    if card.is_file():
        shutil.copyfile(card, folder / CARD_FILE)
    document = {
        "format": FORMAT,
        LOCALIZER: described[LOCALIZER],
        GIVEN_CLASS: described.get(GIVEN_CLASS),
        "card": CARD_FILE if card.is_file() else None,
    }
    (folder / SITE_FILE).write_text(
        json.dumps(document, indent=2) + "\n", encoding="utf-8"
    )
    (folder / PRECACHE_FILE).write_text(
        f"const SITE = {_precache(folder)};\n", encoding="utf-8"
    )


def _precache(folder: Path) -> str:
    """JSON for the page's sw.js: what it keeps, and a version of all there is.

    Of "runtime", which has files for each kind of browser, it keeps those it took.
    """
    files = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".br", ".gz")
    )
    version = hashlib.sha256()
    for name in files:
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        version.update(f"{name} {digest}\n".encode())
    runtime = [name for name in files if name.startswith(f"{RUNTIME}/")]
    kept = [name for name in files if name not in (*runtime, "sw.js")]
    return json.dumps(
        {
            "version": version.hexdigest()[:16],
            "files": ["./", *kept],
            "runtime": runtime,
        }
    )

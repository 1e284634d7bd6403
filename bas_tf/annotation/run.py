"""A folder of photos in, a data set out; a run that was stopped is continued."""

import dataclasses
import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tqdm import tqdm

from bas_tf import files, names
from bas_tf.annotation import prediction
from bas_tf.annotation.data_set import DataSet
from bas_tf.annotation.journal import JOURNAL_FILE, Journal, check_folder
from bas_tf.annotation.settings import CONFIDENCE, FORMATS, Settings
from bas_tf.data import photo_files
from bas_tf.data.decode import decode_image
from bas_tf.errors import UserError
from bas_tf.jobs import output_check
from bas_tf.jobs.photo_batches import log_skipped, read_batches
from bas_tf.runners import Runner

# What JSON or XML cannot hold of a file's name.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def annotate_photos(
    model: str | Path,
    arguments: Sequence[str | Path],
    output: Path,
    settings: Settings,
    *,
    load: Callable[[], Runner],
) -> tuple[int, int, list[str]]:
    """Annotates photos and writes them as a data set; photos are read only.

    The photos done are kept in `journal.JOURNAL_FILE`: the same call goes on from
    there, and with another format it writes that one next to the first.

    Args:
      model: its path.
      arguments: photos, and folders of them; their names in the data set are paths
        below the folder that they share.
      output: a new folder outside those of the photos, or that of an earlier run.
      settings: see there.
      load: returns the model.

    Returns:
      How many photos the data set has, how many of these without an object, and why
      others are not in it, a line each.

    Raises:
      UserError: an unusable output or setting; nothing is written then. No photo that
        can be read, or the output cannot be written.
    """
    paths = photo_files.find_photos(arguments, output=output)
    _check_output(output, arguments, model)
    root = _shared_folder(arguments)
    photos, faults = _named(paths, root)
    runner = load()
    labels = _folder_labels(photos, root, runner) if settings.known_labels else {}
    annotator = prediction.Annotator(runner, settings)
    with files.locked_folder(output):
        request = _request(model, root) | settings.of_answers
        if runner.views:  # no key of a journal of before there were any
            request["views"] = runner.views
        journal = Journal(output, request)
        faults += _fill(journal, photos, labels, annotator)
        done = [name for name in photos if name in journal]
        log_skipped(faults, len(paths))
        if settings.order == CONFIDENCE:
            certainty = {each.name: each.certainty for each in journal.photos(done)}
            done.sort(key=certainty.get)
        data = DataSet(
            lambda: journal.photos(done),
            tuple(name for name in runner.class_names if name != names.NO_OBJECT), root,
            model_name=Path(os.path.abspath(model)).name,
            has_masks=settings.with_masks, margin=settings.crop_margin,
        )  # fmt: skip
        FORMATS[settings.data_format](data, output)
        empty = sum(not photo.objects for photo in data.photos())
    return len(done), empty, faults


def _check_output(
    output: Path, arguments: Sequence[str | Path], model: str | Path
) -> None:
    check_folder(output)
    output_check.check_outputs(
        [output / JOURNAL_FILE], models=[model], others=arguments
    )
    place = Path(os.path.realpath(output))
    for folder in filter(os.path.isdir, arguments):
        if place.is_relative_to(os.path.realpath(folder)):
            raise UserError(
                f"--output={output}: lies in {folder}, whose photos it would add to; "
                "name a folder outside"
            )


def _shared_folder(arguments: Sequence[str | Path]) -> Path:
    folders = [
        path if path.is_dir() else path.parent
        for path in (Path(os.path.abspath(argument)) for argument in arguments)
    ]
    return Path(os.path.commonpath(folders))


def _named(paths: Sequence[Path], root: Path) -> tuple[dict[str, Path], list[str]]:
    """{name in the data set: photo}, and a line for each that cannot be named."""
    photos, faults = {}, []
    for path in paths:
        name = Path(os.path.abspath(path)).relative_to(root).as_posix()
        if _UNWRITABLE.search(name):
            faults.append(
                f"{ascii(str(path))}: no data set can hold this name; rename it"
            )
        else:
            photos[name] = path
    return photos, faults


def _folder_labels(
    photos: Mapping[str, Path], root: Path, runner: Runner
) -> dict[str, int]:
    """{name: class id} by the nearest folder that is called as a class.

    Raises:
      UserError: the model cannot draw a given class, or no folder of a photo is one.
    """
    if runner.label_fn is None:
        raise UserError(
            "--known_labels: this model cannot draw a given class; a workdir, a "
            "SavedModel or a given_class_* file can"
        )
    known = {
        unicodedata.normalize("NFC", n): i for i, n in enumerate(runner.class_names)
    }
    labels, lost = {}, []
    for name in photos:
        folders = [*reversed(PurePosixPath(name).parts[:-1]), root.name]
        found = [unicodedata.normalize("NFC", folder) for folder in folders]
        label = next((known[folder] for folder in found if folder in known), None)
        if label is None:
            lost.append(name)
        labels[name] = label
    if lost:
        raise UserError(
            f"--known_labels: {photos[lost[0]]}: none of its folders is a class of the "
            f"model ({', '.join(runner.class_names[:5])}…); so for {len(lost)} of "
            f"{len(photos)} photos"
        )
    return labels


def _request(model: str | Path, root: Path) -> dict[str, Any]:
    """What the photos done depend on; the model's files by name, size and time."""
    digest = hashlib.sha256()
    for path in output_check.model_inputs(model):
        for file in filter(Path.exists, [path, *sorted(path.rglob("*"))]):
            status = file.stat()
            entry = (file.name, status.st_size, status.st_mtime_ns)
            digest.update(repr(entry).encode(errors="surrogateescape"))
    return {
        "model": os.path.abspath(model),
        "model_files": digest.hexdigest(),
        "photos": str(root),
    }


def _fill(
    journal: Journal,
    photos: Mapping[str, Path],
    labels: Mapping[str, int],
    annotator: prediction.Annotator,
) -> list[str]:
    """Annotates the photos that the journal does not have; a line for each fault.

    Those whose file is another one now are annotated again.
    """
    files_now = {name: _file_of(path) for name, path in photos.items()}
    journal.forget_changed(files_now)
    todo = {name: path for name, path in photos.items() if name not in journal}
    done, faults = len(photos) - len(todo), []
    with tqdm(total=len(photos), initial=done, unit="photo", disable=None) as bar:
        batches = read_batches(todo, lambda name: decode_image(todo[name]), faults)
        for photo in annotator.annotate(batches, labels):
            journal.add([dataclasses.replace(photo, file=files_now[photo.name])])
            bar.update()
    return faults


def _file_of(path: Path) -> tuple[int, int] | None:
    """As `Photo.file`; None where it is gone, which is a fault when it is read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns

"""A folder of photos in, a data set out; a run that was stopped is continued."""

import contextlib
import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from absl import logging
from tqdm import tqdm

from bas_tf import files
from bas_tf.annotation import prediction
from bas_tf.annotation.data_set import DataSet
from bas_tf.annotation.formats import FORMATS, WITHOUT_MASKS
from bas_tf.annotation.journal import Journal, check_folder
from bas_tf.data import photo_files
from bas_tf.errors import UserError, check_choice
from bas_tf.jobs import output_check
from bas_tf.refinement import refined_boxes
from bas_tf.runners import Runner

# What JSON or XML cannot hold of a file's name.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def annotate_photos(
    model: str | Path,
    arguments: Sequence[str | Path],
    output: Path,
    *,
    load: Callable[[], Runner],
    data_format: str,
    known_labels: bool = False,
    with_masks: bool = False,
    refine: str = refined_boxes.NONE,
) -> tuple[int, list[str]]:
    """Annotates photos and writes them as a data set; photos are read only.

    The photos done are kept in `journal.JOURNAL_FILE`: the same call goes on from
    there, and with another format it writes that one next to the first.

    Args:
      model: its path.
      arguments: photos, and folders of them; names in the data set are paths below the
        folder that they share.
      output: a new folder, outside those of the photos, or that of an earlier run.
      load: returns the model.
      data_format: of `formats.FORMATS`.
      known_labels: an object's class is the one that a folder of its photo is named
        after; else the predicted one.
      with_masks: whether objects have masks: the refined one, or the map cut at the
        model's threshold. Boxes are then those of the masks.
      refine: of `refined_boxes.REFINEMENTS`.

    Returns:
      How many photos the data set has, and why others are not in it, a line each.

    Raises:
      UserError: an unusable output or setting; nothing is written then. No photo that
        can be read, or the output cannot be written.
    """
    check_choice("format", data_format, FORMATS)
    check_choice("refine", refine, refined_boxes.REFINEMENTS)
    if with_masks and data_format in WITHOUT_MASKS:
        raise UserError(f"--format={data_format} has no masks; leave out --masks")
    paths = photo_files.find_photos(arguments, output=output)
    root = _shared_folder(arguments)
    _check_output(output, arguments, model)
    faults: list[str] = []
    photos = _named(paths, root, faults)
    runner = load()
    labels = _folder_labels(photos, root, runner) if known_labels else {}
    if with_masks or refine != refined_boxes.NONE:
        refined_boxes.threshold_of(runner)
    request = {
        "model": os.path.abspath(model),
        "model_files": _fingerprint(model),
        "photos": str(root),
        "known_labels": known_labels,
        "masks": with_masks,
        "refine": refine,
    }
    with files.locked_folder(output):
        journal = Journal(output, request)
        annotator = prediction.Annotator(runner, with_masks=with_masks, refine=refine)
        _fill(journal, photos, labels, annotator, faults)
        done = [name for name in photos if name in journal]
        if not done:
            raise UserError(f"none of {len(paths)} photos can be read; {faults[0]}")
        data = DataSet(
            lambda: journal.photos(done),
            runner.class_names,
            root,
            Path(os.path.abspath(model)).name,
            with_masks,
        )
        FORMATS[data_format](data, output)
    for fault in faults:
        logging.error("skipped %s", fault)
    return len(done), faults


def _check_output(
    output: Path, arguments: Sequence[str | Path], model: str | Path
) -> None:
    check_folder(output)
    output_check.check_outputs([output / "new"], models=[model], others=arguments)
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


def _named(paths: Sequence[Path], root: Path, faults: list[str]) -> dict[str, Path]:
    """{name in the data set: photo}; `faults` gets those that cannot be named."""
    photos = {}
    for path in paths:
        name = Path(os.path.abspath(path)).relative_to(root).as_posix()
        if _UNWRITABLE.search(name):
            faults.append(
                f"{ascii(str(path))}: no data set can hold this name; rename it"
            )
        else:
            photos[name] = path
    return photos


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


def _fingerprint(model: str | Path) -> str:
    """Changes when a file of the model does: names, sizes and times."""
    digest = hashlib.sha256()
    for path in output_check.model_inputs(model):
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in below:
            with contextlib.suppress(OSError):
                status = file.stat()
                entry = (file.name, status.st_size, status.st_mtime_ns)
                digest.update(repr(entry).encode(errors="surrogateescape"))
    return digest.hexdigest()


def _fill(
    journal: Journal,
    photos: Mapping[str, Path],
    labels: Mapping[str, int],
    annotator: prediction.Annotator,
    faults: list[str],
) -> None:
    """Annotates the photos that the journal does not have, batch by batch."""
    todo = {name: path for name, path in photos.items() if name not in journal}
    done = len(photos) - len(todo)
    with tqdm(total=len(photos), initial=done, unit="photo", disable=None) as bar:
        for batch in prediction.read_batches(todo, faults):
            journal.add(annotator.annotate(batch, labels))
            bar.update(len(batch))

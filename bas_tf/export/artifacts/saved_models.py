"""Writes SavedModels: into a folder, or as a server's next version."""

import os
import sys
import tempfile
from pathlib import Path

from bas_tf import files
from bas_tf.export.artifacts import folders
from bas_tf.names import LABELS_FILE


def export_saved_model(workdir: str | Path, output: str | Path) -> Path:
    """Writes a SavedModel with the signatures of `server_model.ServerModel`.

    Its labels lie in assets/, one class name a line; in assets.extra/ its model card
    and what its boxes are cut at. The folder appears whole or not at all; where
    `output` is a link, in the place that it names.
    """
    from bas_tf.jobs import experiment

    loaded = experiment.load_experiment(workdir)
    output, place = Path(output), Path(os.path.realpath(output))
    check_output(workdir, output)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        folder = Path(temporary) / "saved_model"
        write_saved_model(loaded, folder)
        folders.replace_folder(folder, place)
    return output


def check_output(workdir, output: Path) -> None:
    """Raises UserError for a folder that `export_saved_model` does not replace."""
    from bas_tf.jobs import output_check

    hint = "no SavedModel; name a new folder"
    folders.check_replaceable(output, "saved_model.pb", hint)
    files.check_not_inputs([output], output_check.model_inputs(workdir))


def export_version(workdir: str | Path, serving_dir: str | Path) -> Path:
    """Adds a version to a model that TensorFlow Serving serves.

    It is the SavedModel of `export_saved_model` with requests that the server answers
    before the version goes live. It appears whole, under its own number. The files
    of `server_files` are written next to it where they are missing.

    Args:
      serving_dir: the folder of the versions; its name is the model's.

    Returns:
      `serving_dir`/N.

    Raises:
      UserError: no trained workdir, a folder that cannot be written, or
        tensorflow-serving-api is not installed.
    """
    from bas_tf.export.server import server_files, versions, warm_up
    from bas_tf.jobs import experiment

    serving_dir = Path(serving_dir)
    files.check_place(serving_dir / server_files.MODELS)
    loaded = experiment.load_experiment(workdir)
    requests = warm_up.warm_up_requests(
        input_size_wh=tuple(loaded.config.data.crop_size),
        batch_sizes=server_files.WARM_UP_SIZES,
    )
    warm_up_content = warm_up.warm_up_file(
        requests, model_name=server_files.model_name(serving_dir)
    )
    with versions.temporary_folder(serving_dir) as temporary:
        folder = temporary / "version"
        write_saved_model(loaded, folder)
        files.write_file(folder / warm_up.FILE, warm_up_content)
        for name, as_written in server_files.write_server_files(serving_dir).items():
            if not as_written:
                kept = f"{serving_dir / name}: kept, though it differs from a new one"
                print(kept, file=sys.stderr)
        return versions.add_version(folder, serving_dir)


def write_saved_model(loaded, folder: Path) -> None:
    """Writes the SavedModel of an experiment into a folder that is not there yet."""
    import tensorflow as tf

    from bas_tf.export.artifacts import model_card, server_model
    from bas_tf.runners.saved_model import SETTINGS_FILE

    localizer, steps = loaded.trained
    card = model_card.model_card(loaded, steps=steps)
    served = server_model.ServerModel(
        localizer,
        class_names=loaded.class_names,
        input_size_wh=tuple(loaded.config.data.crop_size),
        score_threshold=loaded.config.eval.score_threshold,
    )
    with tempfile.TemporaryDirectory() as temporary:
        labels = Path(temporary) / LABELS_FILE
        labels.write_text("\n".join(loaded.class_names) + "\n", encoding="utf-8")
        module = served.trackable()
        module.labels = tf.saved_model.Asset(str(labels))
        tf.saved_model.save(module, str(folder), signatures=served.signatures())
    settings = {
        "score_threshold": loaded.config.eval.score_threshold,
        "top_k": localizer.top_k,
        "trained_size": list(loaded.config.data.crop_size),
    }
    files.write_json(folder / SETTINGS_FILE, settings)
    files.write_file(folder / "assets.extra" / model_card.CARD_FILE, card.encode())


def served_localizer(loaded, *, refine: str = "none"):
    """The trained localizer of an experiment, ready to be exported, and its steps."""
    from bas_tf.export.artifacts import signatures

    localizer, steps = loaded.trained
    served = signatures.ServedLocalizer(
        localizer,
        input_size_wh=tuple(loaded.config.data.crop_size),
        score_threshold=loaded.config.eval.score_threshold,
        refine=refine,
    )
    return served, steps

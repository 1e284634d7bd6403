"""Exports a trained localizer as a SavedModel.

python -m export.saved_model --workdir=runs/demo --output=runs/demo/export/saved_model
"""

import os
import shutil
import tempfile
from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.names import LABELS_FILE


def export_saved_model(workdir: str | Path, output: str | Path) -> Path:
    """Writes a SavedModel with the signatures of `server_model.ServerModel`.

    Its labels lie in assets/, one class name a line. The folder appears whole or not
    at all.
    """
    from bas_tf import experiment

    loaded = experiment.load_experiment(workdir)
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
        folder = Path(temporary) / "saved_model"
        write_saved_model(loaded, folder)
        replace_folder(folder, output)
    return output


def write_saved_model(loaded, folder: Path) -> None:
    """Writes the SavedModel of an experiment into a folder that is not there yet."""
    import tensorflow as tf

    from bas_tf import experiment
    from export import server_model

    served = server_model.ServerModel(
        experiment.load_localizer(loaded),
        class_names=loaded.class_names,
        input_size_wh=tuple(loaded.config.data.crop_size),
        score_threshold=loaded.config.eval.score_threshold,
    )
    with tempfile.TemporaryDirectory() as temporary:
        labels = Path(temporary) / LABELS_FILE
        labels.write_text("\n".join(loaded.class_names) + "\n")
        module = served.trackable()
        module.labels = tf.saved_model.Asset(str(labels))
        tf.saved_model.save(module, str(folder), signatures=served.signatures())


def served_localizer(loaded):
    """The trained localizer of an experiment, ready to be exported, and its steps."""
    from bas_tf import experiment
    from export import signatures

    localizer, steps = experiment.load_trained(loaded)
    served = signatures.ServedLocalizer(
        localizer,
        input_size_wh=tuple(loaded.config.data.crop_size),
        score_threshold=loaded.config.eval.score_threshold,
    )
    return served, steps


def replace_folder(new: Path, output: Path) -> None:
    """Renames `new` to `output`; what was there before goes only then."""
    if output.exists():
        old = Path(tempfile.mkdtemp(dir=output.parent)) / "old"
        os.rename(output, old)
        os.rename(new, output)
        shutil.rmtree(old.parent)
    else:
        os.rename(new, output)


def main(args: list[str]) -> None:
    entry_point.refuse_arguments(args)
    print(export_saved_model(flags.FLAGS.workdir, flags.FLAGS.output))


if __name__ == "__main__":
    flags.DEFINE_string("workdir", None, "A trained workdir.", required=True)
    flags.DEFINE_string("output", None, "The folder to write.", required=True)
    entry_point.run(main)

"""Exports a trained localizer as a SavedModel.

python -m export.saved_model --workdir=runs/demo --output=runs/demo/export/saved_model
"""

import os
import shutil
import tempfile
from pathlib import Path

from absl import flags

from bas_tf import entry_point
from bas_tf.names import LABELS_FILE, SIGNATURE


def export_saved_model(workdir: str | Path, output: str | Path) -> Path:
    """Writes a SavedModel; its labels lie in assets/, one class name a line.

    Signature `serving_default`: `images` uint8 [batch, height, width, 3] of any size
    -> `class_ids`, `scores` [batch, 5], `boxes` [batch, 4] in pixels of the sent
    images, `degenerate` [batch], `localization_map` [batch, h, w, 1].

    The folder appears whole or not at all.
    """
    import tensorflow as tf

    from bas_tf import experiment

    loaded = experiment.load_experiment(workdir)
    served, _ = served_localizer(loaded)
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
        labels = Path(temporary) / LABELS_FILE
        labels.write_text("\n".join(loaded.class_names) + "\n")
        served.labels = tf.saved_model.Asset(str(labels))
        folder = Path(temporary) / "saved_model"
        tf.saved_model.save(
            served,
            str(folder),
            signatures={SIGNATURE: served.flexible_signature()},
        )
        replace_folder(folder, output)
    return output


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

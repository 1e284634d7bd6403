"""Whether a command may write where it is asked to."""

from collections.abc import Iterable
from pathlib import Path

from bas_tf import files
from bas_tf.data.sources import source_inputs
from bas_tf.jobs.experiment import CONFIG_FILE, Experiment


def check_outputs(
    outputs: Iterable[str | Path],
    *,
    models: Iterable[str | Path | Experiment] = (),
    config=None,
    splits: Iterable[str] = (),
    others: Iterable[str | Path] = (),
) -> None:
    """Before any work: the files can be written, and none is what the command reads.

    Args:
      outputs: the files that a command will write.
      models: workdirs and exported files that it reads.
      config: whose data it reads, and whose `model.weights`.
      splits: that it reads, where they are not the usual ones.
      others: files, and folders of which it reads every file.

    Raises:
      UserError: see `files.check_place` and `files.check_not_inputs`.
    """
    outputs, inputs = list(outputs), list(others)
    for path in outputs:
        files.check_place(path)
    for model in models:
        inputs += model_inputs(model)
    if config is not None:
        inputs += model_inputs(config.model.weights) if config.model.weights else []
        inputs += source_inputs(config.data.source, config.data.root, *splits)
    files.check_not_inputs(outputs, inputs)


def model_inputs(model: str | Path | Experiment) -> list[Path]:
    """What is read of a model; of a workdir what its training cannot do without."""
    path = model.workdir if isinstance(model, Experiment) else Path(model)
    if not (path / CONFIG_FILE).is_file():
        return [path]
    from bas_tf.training.checkpoint import BEST_FOLDER, FOLDER

    return [path / name for name in (CONFIG_FILE, FOLDER, BEST_FOLDER)]

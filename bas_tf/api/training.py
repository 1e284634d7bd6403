"""Training from Python."""

from pathlib import Path

from bas_tf.api import arguments
from bas_tf.api.model import Model

PHOTOS_CONFIG = "butterflies_efficientnet_lite0"


def train(
    photos: str | Path | None,
    workdir: str | Path,
    *,
    config: str = PHOTOS_CONFIG,
    **overrides,
) -> Model:
    """Trains a localizer from photos in class folders; no box is needed.

    A workdir that holds a checkpoint is continued at the very step.

    Args:
      photos: a folder with train/CLASS/ and val/CLASS/, or with CLASS/ alone, of which
        every fifth photo becomes val. None takes the data that the config names.
      workdir: gets checkpoints, metrics.json and report.html.
      config: a shipped config ("demo", "butterflies_efficientnet_lite0") or a file.
      **overrides: keys of the config, with two underscores for the dot:
        train__epochs=3, loss__beta=1.5.

    Returns:
      The trained model.

    Raises:
      ValueError: a mistake in an argument or in the photos; nothing is trained then.

    >>> model = bas_tf.train(None, "runs/demo", config="demo:quicktest")
    >>> len(model.class_names)
    8
    """
    from bas_tf.ops import determinism
    from bas_tf.self_training import rounds

    determinism.make_deterministic()
    settings, workdir = arguments.read_config(config), Path(workdir).expanduser()
    arguments.set_keys(settings, photos, overrides)
    with arguments.own_arguments({"data.root": "photos", "--workdir": "workdir"}):
        rounds.train_and_evaluate(settings, workdir, config_name=config)
    return Model(workdir)

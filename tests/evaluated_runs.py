"""Runs as far as a comparison reads them before it runs any model."""

from bas_tf import files
from bas_tf.configs import demo
from bas_tf.jobs import resuming

CLASSES = ("cat", "dog")


def metrics_document(**changes) -> dict:
    """A metrics.json as far as a comparison reads it."""
    return {
        "protocol": "bas", "split": "test", "num_images": 32, "score_threshold": 0.8,
        "threshold_origin": "fixed", "config": "configs/demo.py", "seed": 0,
        "metrics": {"gt_known_loc": 0.875, "num_images": 32},
        "intervals_95": {"gt_known_loc": [0.75, 1.0]},
        **changes,
    }  # fmt: skip


def metrics_file(path, **changes):
    files.write_json(path, metrics_document(**changes))
    return path


def unsaved_workdir(path, config=None, class_names=CLASSES, **changes):
    """An evaluated workdir without checkpoints; `changes` go to its metrics.json."""
    config = demo.get_config("quicktest") if config is None else config
    resuming.write_experiment(path, config, class_names)
    metrics_file(path / "metrics.json", **changes)
    return path

"""What a workdir records, and whether a config may resume it."""

import contextlib

import pytest
import tensorflow as tf

from bas_tf.configs import common
from bas_tf.errors import UserError
from bas_tf.jobs import experiment, resuming


def test_tensorflow_has_its_version_whichever_build_is_installed():
    assert resuming.versions()["tensorflow"] == tf.__version__


def test_a_package_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(resuming, "PACKAGES", ("no-such-package", "numpy"))
    found = resuming.versions()
    assert found["no-such-package"] == "not installed"
    assert found["numpy"][0].isdigit()


def test_a_workdir_from_before_a_key_has_its_default(tmp_path):
    config = common.base_config()
    del config.data.objects_per_image, config.model.top_k
    resuming.write_experiment(tmp_path, config, ("a", "b"))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "1.index").touch()
    assert experiment.load_experiment(tmp_path).config.model.top_k == 1
    resuming.check_workdir(tmp_path, common.base_config(), ("a", "b"))
    other = common.base_config()
    other.data.objects_per_image = 2
    with pytest.raises(UserError, match="objects_per_image=1, the config says 2"):
        resuming.check_workdir(tmp_path, other, ("a", "b"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("data.service", "", None),
        ("data.service", "grpc://a:1", None),
        ("train.quantization_aware", False, None),
        ("train.quantization_aware", True, "trained with train.quantization_aware="),
    ],
)
def test_a_workdir_that_records_a_removed_key(tmp_path, key, value, message):
    """It resumes unless the key changed what was trained."""
    config = common.base_config()
    group, _, name = key.partition(".")
    config[group][name] = value
    resuming.write_experiment(tmp_path, config, ("a", "b"))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "1.index").touch()
    refused = pytest.raises(UserError, match=message)
    with refused if message else contextlib.nullcontext():
        resuming.check_workdir(tmp_path, common.base_config(), ("a", "b"))

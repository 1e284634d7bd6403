"""What a workdir says of the packages its numbers depend on."""

import tensorflow as tf

from bas_tf import experiment


def test_tensorflow_has_its_version_whichever_build_is_installed():
    assert experiment.versions()["tensorflow"] == tf.__version__


def test_a_package_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(experiment, "PACKAGES", ("no-such-package", "numpy"))
    found = experiment.versions()
    assert found["no-such-package"] == "not installed"
    assert found["numpy"][0].isdigit()

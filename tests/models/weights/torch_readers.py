"""Tests of torch files run with each reader, and on files of each format."""

import pytest

from bas_tf.models.weights.torch_file import read_with_torch, read_without_torch
from tests.models.weights.legacy_torch import legacy_file
from tests.models.weights.zip_torch import zip_file


def with_torch(path):
    pytest.importorskip("torch")
    return read_with_torch(path)


READERS = [with_torch, read_without_torch]
both_readers = pytest.mark.parametrize("read", READERS)
both_formats = pytest.mark.parametrize("written", [legacy_file, zip_file])

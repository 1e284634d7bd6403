"""Tests of torch files run on files of each format."""

import pytest

from tests.models.weights.legacy_torch import legacy_file
from tests.models.weights.zip_torch import zip_file

both_formats = pytest.mark.parametrize("written", [legacy_file, zip_file])

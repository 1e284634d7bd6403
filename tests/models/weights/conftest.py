"""Where the tests of torch files write them."""

import pytest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"

"""Random folders and box files: the true boxes, or an error that names the file."""

import logging
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from bas_tf.data.sources.folder import FolderSource
from bas_tf.errors import DataError
from tests.data.box_layouts import Layout


def outcome(layout: Layout) -> str:
    """read, reported or lost."""
    try:
        source = FolderSource(root=str(layout.root))
        splits = [s for s in ("train", "val", "test") if (layout.root / s).is_dir()]
        records = [record for split in splits for record in source.records(split)]
    except DataError as error:
        names_file = "boxes" in str(error) or str(layout.root) in str(error)
        return "reported" if names_file else "unclear"
    found = {r.image_id: r.boxes_original for r in records}
    for image_id, boxes in found.items():
        true = layout.truth.get(image_id)
        if (true is None) != (boxes is None):
            return "lost"
        if true is not None and not np.array_equal(np.sort(true, 0), np.sort(boxes, 0)):
            return "lost"
    return "read" if layout.truth.keys() <= found.keys() else "lost"


@pytest.fixture
def quick_folder(tmp_path):
    """In memory if possible: removing folders is most of the time otherwise."""
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    "seeds",
    [range(200), pytest.param(range(200, 2000), marks=pytest.mark.slow)],
    ids=["200", "1800"],
)
def test_boxes_are_read_or_a_fault_names_the_file(quick_folder, seeds, caplog):
    caplog.set_level(logging.ERROR)
    outcomes = []
    for seed in seeds:
        layout = Layout(quick_folder / "photos", seed)
        outcomes.append(outcome(layout))
        assert outcomes[-1] in ("read", "reported"), layout.facts
    assert outcomes.count("read") > 0.4 * len(outcomes)

"""The rebuilt weights are the recorded ones, entry by entry."""

import numpy as np
import pytest

from tests.golden import weights


@pytest.mark.slow
@pytest.mark.parametrize("model", [*weights.CUB.values(), *weights.ILSVRC.values()])
def test_every_entry_equals_its_recorded_checksum(shared_dir, model):
    entries = weights.state_dict(shared_dir, model)
    with np.load(shared_dir / "golden" / "weights_check.npz") as arrays:
        total, norm, first = (
            arrays[f"{model}/{key}"] for key in ("sum", "norm", "first")
        )
    assert len(entries) == len(total)
    ours = [weights.statistics(name, entry) for name, entry in entries.items()]
    np.testing.assert_array_equal([e.ravel()[0] for e in entries.values()], first)
    np.testing.assert_allclose([s["norm"] for s in ours], norm, rtol=1e-12)
    # A sum of n values of both signs is exact to its norm's rounding, not to its own.
    difference = np.abs([s["sum"] for s in ours] - total)
    assert (difference <= 1e-12 * norm).all()

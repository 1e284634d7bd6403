"""What an evaluation is broken down to: groups that add up, with their own images."""

import numpy as np

from bas_tf.metrics import error_taxonomy
from bas_tf.report import breakdown


def break_down(kinds, **changes):
    """Ten images of two classes alternately; a "picture" is its image's position."""
    n = len(kinds)
    parts = {
        "labels": np.arange(n) % 2,
        "class_ids": np.zeros(n, int),
        "scores": np.full(n, 0.5),
        "ious": np.where(np.array(kinds) == "", np.nan, 0.25),
        "kinds": np.array(kinds, object),
        "class_names": ("ant", "bee"),
        "draw_cases": lambda chosen: chosen.tolist(),
    }
    return breakdown.break_down(**{**parts, **changes})


def test_every_kind_is_in_words():
    named = {k: v for k, v in vars(error_taxonomy).items() if isinstance(v, str)}
    kinds = {kind for name, kind in named.items() if name.isupper()}
    assert set(breakdown.KINDS) == kinds and len(kinds) == 7


def test_groups_add_up_and_show_images_of_their_own():
    kinds = ["box_too_small"] * 6 + ["correct"] + [""] * 2 + ["degenerate"]
    groups = {g.title: g for g in break_down(kinds).errors}
    assert len(groups) == 7
    assert sum(g.count for g in groups.values()) == 8
    assert sum(g.share for g in groups.values()) == 1
    small = groups["Box too small"]
    assert (small.count, small.share) == (6, 0.75)
    # Two of each class: of its images 0, 2, 4 the ones at (2 j + 1) * 3 // 4: 0 and 2.
    assert small.examples == [0, 4, 1, 5]
    assert groups["No usable map"].examples == [9]
    assert groups["Box elsewhere"].examples == []


def test_without_true_boxes_the_classes_are_still_there():
    found = break_down([""] * 10)
    assert found.errors == []
    np.testing.assert_array_equal(found.confusion, [[5, 0, 0], [5, 0, 0]])
    assert [row.name for row in found.classes] == ["bee", "ant"]
    assert found.reliability.counts.sum() == 10
    assert found.reliability.expected_calibration_error == 0

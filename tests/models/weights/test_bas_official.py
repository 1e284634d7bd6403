"""Checkpoints of the reference: every entry lands in its layer, copies are ignored."""

import re

import numpy as np
import pytest

from bas_tf.errors import UserError
from bas_tf.models.weights import bas_official
from bas_tf.models.weights.assign import assign_weights
from tests.golden import weights
from tests.models.weights import legacy_torch as opcodes
from tests.models.weights.legacy_torch import legacy_file
from tests.models.weights.torch_checkpoints import (
    COUNTER,
    assert_holds,
    build,
    checkpoint,
    random_state,
    reference_shapes,
)
from tests.models.weights.zip_torch import both_formats, zip_file

# What the reference's ILSVRC models save twice: the original -> its copy.
COPIES = {
    "vgg16": (r"^conv5_(\d)\.", r"conv_copy_5_\1."),
    "resnet50": (r"^layer4\.", "layer4_copy."),
    "mobilenet_v1": (r"^model\.(12|13)\.", r"erase_branch.\1."),
    "inception_v3": (r"^(Mixed_7[abc])\.", r"\1_copy."),
}


@pytest.fixture(scope="module")
def narrow():
    return build(width=0.25)


@pytest.fixture
def state(narrow, rng):
    return random_state(reference_shapes(narrow), rng)


def with_copies(backbone, entries, value_of):
    """Entries and, under the copies' names, `value_of` their originals."""
    head = r"^classifier_cls\.", "classifier_cls_copy."
    copies = {
        re.sub(pattern, copy, name): value_of(entry)
        for pattern, copy in (COPIES[backbone], head)
        for name, entry in entries.items()
        if re.match(pattern, name)
    }
    return entries | copies


@both_formats
@pytest.mark.parametrize("prefix", ["", "module."])
def test_every_entry_lands_in_its_layer(narrow, state, tmp_path, written, prefix):
    """MobileNetV1 has 27 convolutions with a BatchNorm each: 27 counters, and with
    the four convolutions of classifier and generator 27 + 4 * 27 + 8 = 143 arrays."""
    path = tmp_path / "a.pth"
    path.write_bytes(checkpoint(state, written, prefix))
    outcome = assign_weights(narrow, bas_official.read(narrow, path))
    assert assert_holds(narrow, state) == len(outcome.assigned) == 143
    assert set(outcome.ignored) == {name for name in state if name.endswith(COUNTER)}
    assert len(outcome.ignored) == 27
    assert outcome.fresh == outcome.unmatched == ()


@both_formats
def test_the_state_dict_of_a_training_run(narrow, state, tmp_path, written):
    """.pth.tar: {"epoch", "arch", "state_dict"}, saved from DataParallel."""
    path = tmp_path / "a.pth.tar"
    tensors = {
        f"module.{name}": opcodes.contiguous(str(i), array)
        for i, (name, array) in enumerate(state.items())
    }
    holder = {
        "epoch": opcodes.integer(99),
        "arch": opcodes.text("mobilenet"),
        "state_dict": opcodes.state_dict(tensors),
    }
    content = opcodes.PROTO + opcodes.items(holder) + opcodes.STOP
    path.write_bytes(written(tensors, content))
    weights_ = bas_official.read(narrow, path)
    assert weights_.scaling == "torch" and weights_.origin == str(path)
    assign_weights(narrow, weights_)
    assert assert_holds(narrow, state) == 143


def test_copies_are_ignored_and_counted(narrow, state, tmp_path):
    """The copies hold other numbers here, so that a mix-up would show.

    Copied: two blocks of 2 convolutions and 2 * 5 entries of BatchNorm each, and 6
    entries of the classifier: 2 * 12 + 6 = 30. Their 4 counters are among them.
    """
    path = tmp_path / "a.pth"
    copied = with_copies("mobilenet_v1", state, lambda array: array + 1)
    path.write_bytes(checkpoint(copied, zip_file))
    outcome = assign_weights(narrow, bas_official.read(narrow, path))
    assert assert_holds(narrow, state) == 143
    assert set(outcome.ignored) == {n for n in copied if n.endswith(COUNTER)} | (
        set(copied) - set(state)
    )
    assert len(copied) - len(state) == 30 and len(outcome.ignored) == 27 + 30


@pytest.mark.parametrize(
    "backbone, copies, counters",
    [
        # 3 convolutions with bias and the classifier's: 3 * 2 + 6; no BatchNorm.
        ("vgg16", 12, 0),
        # layer4: 3 * 3 + 1 convolutions with BatchNorm, 10 * 6 + 6; 53 in all.
        ("resnet50", 66, 53),
        ("mobilenet_v1", 30, 27),
        # Mixed_7a, b, c: 6 + 9 + 9 convolutions with BatchNorm, 24 * 6 + 6; 94 in all.
        ("inception_v3", 150, 94),
    ],
)
def test_recorded_names_of_every_ilsvrc_model(
    narrow, shared_dir, tmp_path, backbone, copies, counters
):
    """A file of scalars: only names matter here, whatever the localizer."""
    names = reference_shapes(build(backbone))
    state = with_copies(backbone, dict.fromkeys(names, np.zeros([])), np.copy)
    assert set(state) == set(weights.entry_shapes(shared_dir, weights.ILSVRC[backbone]))
    path = tmp_path / "a.pth"
    path.write_bytes(checkpoint(state, legacy_file))
    read = bas_official.read(narrow, path)
    assert set(read.arrays) == {n for n in names if not n.endswith(COUNTER)}
    assert len(read.ignored) == copies + counters
    assert len(read.arrays) + len(read.ignored) == len(state)


@pytest.mark.slow
@pytest.mark.parametrize(
    "backbone, head, arrays",
    [
        ("vgg16", "classifier_cls", 34),  # 2 * 13 + 8
        ("resnet50", "classifier_cls", 273),  # 53 + 4 * 53 + 8
        ("inception_v3", "classifier", 478),  # 94 + 4 * 94 + 8; CUB's own name
    ],
)
def test_the_larger_backbones(tmp_path, rng, backbone, head, arrays):
    localizer, path = build(backbone), tmp_path / "a.pth.tar"
    state = random_state(reference_shapes(localizer), rng)
    named = {n.replace("classifier_cls", head): a for n, a in state.items()}
    path.write_bytes(checkpoint(named, zip_file, "module."))
    outcome = assign_weights(localizer, bas_official.read(localizer, path))
    path.unlink()  # of up to 90 MB
    assert assert_holds(localizer, state) == len(outcome.assigned) == arrays
    assert outcome.fresh == ()


def test_a_missing_entry_is_named(narrow, state, tmp_path):
    path = tmp_path / "a.pth"
    del state["model.7.3.weight"]
    path.write_bytes(checkpoint(state, zip_file))
    with pytest.raises(UserError) as error:
        assign_weights(narrow, bas_official.read(narrow, path))
    told = f"{path}: the model needs and the file lacks: model.7.3.weight"
    assert str(error.value) == told

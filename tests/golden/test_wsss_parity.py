"""The segmentation network's training equals the recorded one of the extension.

Scales as in `test_parity`. Measured in float64: losses 8e-14, steps 6e-12, BatchNorm
1e-14.
"""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf import losses, names
from bas_tf.training.optimizer import make_schedule
from tests.fixtures import networks
from tests.golden import weights, wsss_runs
from tests.golden.weights import assert_close, assert_statistics, deviation


@pytest.fixture(scope="module")
def truth(shared_dir):
    return weights.golden(shared_dir, "wsss_netA")


@pytest.fixture(scope="module")
def entries(shared_dir):
    return wsss_runs.state_dict(shared_dir)


@pytest.fixture(scope="module")
def passes(truth, entries, tmp_path_factory):
    """In float64: evaluating, training, each term's gradients' norms, three steps."""
    checkpoint = tmp_path_factory.mktemp("wsss") / "epoch_10.pth"
    with networks.eager_float64():
        localizer = wsss_runs.load(entries, checkpoint)
        images = truth["x"].astype(np.float64).transpose(0, 2, 3, 1)
        batch = tf.constant(images), truth["p"].astype(np.int32), truth["labels"]
        evaluated = wsss_runs.terms_of(localizer, batch, training=False)
        features, class_maps = localizer.backbone(images)
        maps = localizer.generator(features).numpy()
        statistics = {v.path: v.numpy() for v in localizer.non_trainable_variables}
        trained, by_term = wsss_runs.terms_and_gradient_norms(localizer, batch)
        for variable in localizer.non_trainable_variables:
            variable.assign(statistics[variable.path])
        variables = localizer.trainable_variables
        before = wsss_runs.named(variables, variables)
        # A Keras schedule computes in float32: that moves the third step by 1e-3.
        steps = wsss_runs.train(localizer, batch, truth["f64/lr"][:, 0])
    return {
        "eval": evaluated, "train": trained, "maps": maps,
        "class_maps": class_maps.numpy(), "by_term": by_term, "before": before,
        "steps": steps,
    }  # fmt: skip


@pytest.mark.parametrize("case", range(8))
def test_the_multilabel_loss_and_its_gradient(shared_dir, case):
    recorded = weights.golden(shared_dir, "wsss_mcls")
    scores = tf.constant(recorded[f"case{case}/scores"].astype(np.float64))
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = losses.multilabel_classification_loss(
            scores, recorded[f"case{case}/labels"]
        )
        mean = tf.reduce_mean(loss)
    expected = recorded[f"case{case}/per_image_spec"]
    np.testing.assert_allclose(loss, expected, rtol=1e-13, atol=1e-14)
    expected = recorded[f"case{case}/f64/grad"]
    np.testing.assert_allclose(tape.gradient(mean, scores), expected, atol=1e-15)


def test_the_weights(shared_dir, entries):
    recorded = weights.golden(shared_dir, "wsss_weights_check")
    norms = [weights.statistics(n, entry)["norm"] for n, entry in entries.items()]
    np.testing.assert_allclose(norms, recorded["A/norm"], rtol=1e-12)
    first = [entry.ravel()[0] for entry in entries.values()]
    np.testing.assert_array_equal(first, recorded["A/first"])


def test_the_rates(truth):
    schedule = make_schedule(
        kind="poly", base_rate=0.005, total_steps=3, poly_total_steps=10
    )
    rates = [float(schedule(step)) for step in range(3)]
    np.testing.assert_allclose(rates, truth["f64/lr"][:, 0], rtol=1e-6)
    np.testing.assert_allclose(truth["f64/lr"] @ [10, -1], 0, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_forward_passes(passes, truth, mode):
    terms = passes[mode]
    off = {
        name: deviation(np.asarray(terms[ours]), truth[f"f64/{mode}/{name}"])
        for name, ours in wsss_runs.TERMS.items()
    }
    chosen = truth[f"f64/{mode}/map"][np.arange(4), truth["p"]]
    off["map"] = deviation(terms[names.FOREGROUND_MAP].numpy()[..., 0], chosen)
    assert_close(off, 1e-9)


@pytest.mark.slow
def test_the_maps_of_every_class(passes, truth):
    for ours, name in (("maps", "map"), ("class_maps", "A")):
        expected = truth[f"f64/eval/{name}"].transpose(0, 2, 3, 1)
        assert passes[ours].shape == expected.shape  # both at stride 16
        assert deviation(passes[ours], expected) <= 1e-9


@pytest.mark.slow
def test_every_gradient(passes, truth):
    step = passes["steps"][0]
    assert_statistics(truth, "f64/train/grad", step["gradients"], 1e-7)
    score, of_map = (step["of_terms"][name].numpy() for name in ("score", "map"))
    chosen = truth["f64/train/grad_map"][np.arange(4), truth["p"]]
    off = {
        "score": deviation(score, truth["f64/train/grad_score"]),
        "map": deviation(of_map[..., 0], chosen),
    }
    assert_close(off, 1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("term", wsss_runs.COLUMNS)
def test_what_each_term_reaches(passes, truth, term):
    """No gradient where none is recorded, and the recorded norm elsewhere."""
    recorded = truth[f"f64/train/grad_norm_by_term/{term}"]
    norms = dict(zip(truth["param_names"].tolist(), recorded, strict=True))
    ours = passes["by_term"][term]
    assert ours.keys() == norms.keys()
    for name, norm in ours.items():
        np.testing.assert_allclose(norm, norms[name], rtol=1e-7, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 3])
def test_the_steps_and_the_statistics(passes, truth, number):
    """Biases and BatchNorm's beta stay; everything else moves as recorded."""
    before, step = passes["before"], passes["steps"][number - 1]
    change = {name: step["parameters"][name] - before[name] for name in before}
    rates = dict(zip(truth["param_names"].tolist(), truth["param_lr"], strict=True))
    still = {name for name in change if not change[name].any()}
    assert still == {name for name, rate in rates.items() if rate == 0}
    recorded = dict(truth)
    group = f"f64/step{number}/delta"
    moved = [name not in still for name in truth[f"{group}/names"].tolist()]
    for key in ("names", "norm", "sum", "val"):
        recorded[f"{group}/{key}"] = truth[f"{group}/{key}"][moved]
    change = {name: array for name, array in change.items() if name not in still}
    assert_statistics(recorded, group, change, 1e-7)
    assert_statistics(truth, f"f64/step{number}/bn", step["statistics"], 1e-9)


@pytest.mark.slow
def test_the_losses_of_three_steps(passes, truth):
    ours = [step["losses"] for step in passes["steps"]]
    np.testing.assert_allclose(ours, truth["f64/losses"], rtol=1e-9)

"""Rates, schedules, clipping, averages and the loss scale, by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf.errors import UserError
from bas_tf.training import global_update, optimizer


@pytest.mark.parametrize(
    ("path", "factor"),
    [
        ("localizer/backbone/trunk/stem/conv/kernel", 1),
        ("localizer/backbone/trunk/stem/norm/gamma", 1),
        ("localizer/backbone/trunk/stem/norm/beta", 2),
        ("localizer/backbone/head/classifier/class_maps/kernel", 10),
        ("localizer/backbone/head/classifier/class_maps/bias", 20),
        ("localizer/foreground_generator/kernel", 10),
        ("localizer/foreground_generator/bias", 20),
    ],
)
def test_rate_groups_of_the_reference(path, factor):
    assert optimizer.rate_multiplier(path) == factor


@pytest.mark.parametrize(
    ("path", "factor"),
    [("bn/beta", 0), ("bn/gamma", 1), ("foreground_generator/bias", 0)],
)
def test_biases_stay_at_a_rate_of_0(path, factor):
    assert optimizer.rate_multiplier(path, bias_rate=0.0) == factor


def test_momentum_without_nesterov_by_hand():
    """v = 1, then 0.5 * 1 + 1 = 1.5: p = 0 - 0.1 - 0.15; decay 0."""
    variable = keras.Variable([0.0], dtype="float64", name="kernel")
    sgd = optimizer.make_optimizer("sgd", 0.1, momentum=0.5, l2=0.0, nesterov=False)
    for _ in range(2):
        sgd.apply([tf.constant([1.0], tf.float64)], [variable])
    np.testing.assert_allclose(variable.numpy(), [-0.25], rtol=1e-6)


def test_poly_schedule_has_a_horizon_of_its_own():
    """(1 - t/4)^0.9 at 0, 2: 1, 0.5359; of the training's own 2 steps, at 1: 0.5359."""
    options = {"kind": "poly", "base_rate": 1.0, "total_steps": 2}
    longer = optimizer.make_schedule(**options, poly_total_steps=4)
    half = 0.5**0.9
    np.testing.assert_allclose([longer(0), longer(2)], [1, half], rtol=1e-6)
    assert float(optimizer.make_schedule(**options)(1)) == pytest.approx(half)
    with pytest.raises(UserError, match="poly_total_steps is 1; 2 or more"):
        optimizer.make_schedule(**options, poly_total_steps=1)


def test_step_schedule_drops_after_the_named_steps():
    schedule = optimizer.make_schedule(
        kind="step", base_rate=1.0, total_steps=9, drop_steps=(3, 6)
    )
    rates = [float(schedule(step)) for step in range(9)]
    np.testing.assert_allclose(rates, [1] * 3 + [0.1] * 3 + [0.01] * 3, rtol=1e-6)


def test_warm_up_rises_linearly_to_the_schedule():
    schedule = optimizer.make_schedule(
        kind="step", base_rate=1.0, total_steps=9, warmup_steps=4
    )
    rates = [float(schedule(step)) for step in range(6)]
    np.testing.assert_allclose(rates, [0.25, 0.5, 0.75, 1, 1, 1], rtol=1e-6)


def test_optimizers_by_name():
    sgd = optimizer.make_optimizer("sgd", 0.1, momentum=0.8, l2=0.01)
    assert isinstance(sgd, optimizer.TorchSGD)
    assert (sgd.momentum, sgd.l2) == (0.8, 0.01)
    adam = optimizer.make_optimizer("adam", 0.1, momentum=0.8, l2=0.01)
    assert isinstance(adam, keras.optimizers.Adam)
    with pytest.raises(UserError, match="optimizer.kind is 'lamb'; known: sgd, adam"):
        optimizer.make_optimizer("lamb", 0.1, momentum=0.8, l2=0.01)


def test_unknown_schedule_is_refused_by_name():
    with pytest.raises(
        UserError, match="optimizer.schedule is 'lin'.*step, cosine, poly"
    ):
        optimizer.make_schedule(kind="lin", base_rate=1.0, total_steps=1)


def take_plain_steps(gradients, *, rate=0.5, start=(0.0, 0.0), **options):
    """p -= rate * g on one variable of two numbers: no momentum, no decay."""
    variable = keras.Variable(start, dtype="float64", name="kernel")
    sgd = optimizer.TorchSGD(rate, momentum=0.0, l2=0.0, **options)
    for gradient in gradients:
        sgd.apply([tf.constant(gradient, tf.float64)], [variable])
    return variable, sgd


def test_a_gradient_longer_than_clip_norm_is_shortened_to_it():
    """|(3, 4)| = 5, to 2: (1.2, 1.6); |(0.3, 0.4)| = 0.5 stays. Times 0.5, summed."""
    variable, _ = take_plain_steps([[3.0, 4.0], [0.3, 0.4]], clip_norm=2.0)
    np.testing.assert_allclose(variable.numpy(), [-0.75, -1.0], rtol=1e-12)


def test_the_norm_is_of_all_variables_together():
    """|(3, 4)| = 5, to 1: 0.6 and 0.8, though neither alone is longer than 4."""
    one, two = (keras.Variable(0.0, dtype="float64", name=n) for n in ("a", "b"))
    sgd = optimizer.TorchSGD(1.0, momentum=0.0, l2=0.0, clip_norm=1.0)
    sgd.apply([tf.constant(3.0, tf.float64), tf.constant(4.0, tf.float64)], [one, two])
    assert float(one.value) == pytest.approx(-0.6, rel=1e-12)
    assert float(two.value) == pytest.approx(-0.8, rel=1e-12)


def test_the_average_by_hand():
    """Weights 1, 0, -2 (rate 0.5, from 2): averages 1; 0.75 * 1 + 0.25 * 0 = 0.75;

    0.75 * 0.75 + 0.25 * -2 = 0.0625.
    """
    variable, sgd = take_plain_steps([[2.0], [2.0], [4.0]], start=[2.0], ema=0.75)
    assert variable.numpy().tolist() == [-2.0]
    (average,) = sgd.averages
    assert average.path.endswith("kernel_average")  # as a checkpoint looks for it
    np.testing.assert_allclose(average.numpy(), [0.0625], rtol=1e-6)


def test_the_scale_doubles_after_so_many_good_steps(monkeypatch):
    monkeypatch.setattr(global_update, "GROWTH_STEPS", 2)
    ones = [[2.0**15, 0.0]] * 2  # of a loss times 2^15: a gradient of 1
    variable, sgd = take_plain_steps(ones, scale_losses=True)
    assert variable.numpy().tolist() == [-1.0, 0.0]
    assert float(sgd.loss_scale) == 2.0**16
    sgd.apply([tf.constant([np.nan, 0.0], tf.float64)], [variable])
    assert variable.numpy().tolist() == [-1.0, 0.0]
    assert float(sgd.loss_scale) == 2.0**15
    assert (int(sgd.iterations), int(sgd.steps_since_overflow)) == (2, 0)


def apply_on_both(mirrored, gradients, **options):
    """One step whose replicas have a gradient each; the variable and optimizer."""
    with mirrored.scope():
        variable = keras.Variable([0.0, 0.0], name="kernel")
        sgd = optimizer.TorchSGD(1.0, momentum=0.9, l2=0.0, ema=0.5, **options)
        sgd.build([variable])

    @tf.function
    def step():
        def on_replica():
            which = tf.distribute.get_replica_context().replica_id_in_sync_group
            sgd.apply([tf.gather(tf.constant(gradients), which)], [variable])

        mirrored.run(on_replica)

    step()
    return variable, sgd


def on_each(mirrored, variable) -> list:
    return [v.numpy().tolist() for v in mirrored.experimental_local_results(
        variable.value)]  # fmt: skip


def test_the_norm_is_of_the_sum_over_replicas(mirrored):
    """(3, 0) + (0, 4) = (3, 4), clipped to (0.6, 0.8), times 1.9 of Nesterov's rule.

    Clipped on each replica it would be (1, 0) + (0, 1).
    """
    gradients = [[3.0, 0.0], [0.0, 4.0]]
    variable, sgd = apply_on_both(mirrored, gradients, clip_norm=1.0)
    for value in on_each(mirrored, variable):
        np.testing.assert_allclose(value, [-1.14, -1.52], rtol=1e-6)
    for value in on_each(mirrored, sgd.averages[0]):  # a copy after the first step
        np.testing.assert_allclose(value, [-1.14, -1.52], rtol=1e-6)


@pytest.mark.parametrize("which", [0, 1])
def test_an_overflow_of_one_replica_is_skipped_by_both(mirrored, which):
    gradients = np.ones([2, 2], np.float32)
    gradients[which, 1] = np.inf
    variable, sgd = apply_on_both(mirrored, gradients, scale_losses=True)
    for untouched in (variable, sgd.velocities[0], sgd.averages[0]):
        assert on_each(mirrored, untouched) == [[0.0, 0.0]] * 2
    assert on_each(mirrored, sgd.loss_scale) == [2.0**14] * 2
    assert on_each(mirrored, sgd.iterations) == [0, 0]


def test_options_out_of_their_range_are_refused():
    with pytest.raises(UserError, match="optimizer.clip_norm is -1.0; 0 or more"):
        optimizer.TorchSGD(0.1, clip_norm=-1.0)
    with pytest.raises(UserError, match=r"optimizer.ema is 1.0; must be in \[0, 1\)"):
        optimizer.make_optimizer("adam", 0.1, momentum=0.8, l2=0.01, ema=1.0)

"""TorchSGD against torch's update rule written out in NumPy, through a rate drop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf.errors import UserError
from bas_tf.training import optimizer


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


def torch_sgd(value, gradients, rates, *, momentum, l2):
    """torch.optim.SGD with nesterov, one parameter, in float64."""
    velocity = None
    for gradient, rate in zip(gradients, rates, strict=True):
        gradient = gradient + l2 * value
        velocity = gradient if velocity is None else momentum * velocity + gradient
        value = value - rate * (gradient + momentum * velocity)
    return value


def test_ten_steps_with_a_rate_drop_equal_torch(rng):
    start = rng.normal(size=[4, 3])
    gradients = rng.normal(size=[10, 4, 3])
    rates = [0.1] * 5 + [0.01] * 5
    variable = keras.Variable(start, dtype="float64", name="bias")  # factor 2
    schedule = optimizer.make_schedule(
        kind="step", base_rate=0.1, total_steps=10, drop_steps=(5,)
    )
    sgd = optimizer.TorchSGD(schedule, momentum=0.9, l2=5e-4)
    for gradient in gradients:
        sgd.apply([tf.constant(gradient)], [variable])
    doubled = [2 * rate for rate in rates]
    expected = torch_sgd(start, gradients, doubled, momentum=0.9, l2=5e-4)
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6)


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
    with pytest.raises(UserError, match="optimizer.schedule is 'poly'.*step, cosine"):
        optimizer.make_schedule(kind="poly", base_rate=1.0, total_steps=1)

"""Five steps, the rate times 0.1, five steps: TorchSGD against torch.optim.SGD.

A velocity that contains the rate, as in Keras's own SGD, would go on with the old rate
after the drop.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bas_tf.training import optimizer
from bas_tf.training.checkpoint import Checkpointer

BASE_RATE = 0.01
FACTORS = {
    "trunk/kernel": 1,
    "trunk/bias": 2,
    "classifier/kernel": 10,
    "foreground_generator/bias": 20,
}
# A parameter p of each group (columns as FACTORS) after each of ten steps on the loss
# p^2 / 2 from p = 1, whose gradient is p; from torch 2.13's SGD in float64. By hand,
# factor 1, with g = p + 0.0005 p, v = 0.9 v + g and p -= rate (g + 0.9 v):
#   step 1: g = 1.0005, v = g: p = 1 - 0.01 * 1.9 * 1.0005 = 0.9809905
#   step 2: g = 0.9809905 * 1.0005 = 0.981480995, v = 0.9 * 1.0005 + g = 1.881930995:
#           p = 0.9809905 - 0.01 * (0.981480995 + 0.9 * 1.881930995) = 0.954238311
RECORDED = [
    [0.9809905, 0.961981, 0.809905, 0.61981],
    [0.95423831109, 0.909199344361, 0.574905609025, 0.2220834361],
    [0.920855076854, 0.844453320242, 0.327047371125, -0.108682790081],
    [0.88189761033, 0.770450398745, 0.0935722625655, -0.325057277676],
    [0.838363297375, 0.689763775532, -0.104893973857, -0.415783473777],
    # From here on the rate is 0.001.
    [0.833645627202, 0.681267070667, -0.119919381701, -0.41399511605],
    [0.828569909622, 0.672272122597, -0.132107159062, -0.404133758358],
    [0.823177350036, 0.662847651818, -0.141644681719, -0.387349413121],
    [0.8175053132, 0.653056242495, -0.148725416446, -0.364794909925],
    [0.811587673367, 0.642954841913, -0.153546321434, -0.337602494949],
]


def make_sgd() -> optimizer.TorchSGD:
    schedule = optimizer.make_schedule(
        kind="step", base_rate=BASE_RATE, total_steps=10, drop_steps=(5,)
    )
    return optimizer.TorchSGD(schedule, momentum=0.9, l2=5e-4)


def scalar_at(path: str) -> keras.Variable:
    scope, name = path.split("/")
    with keras.name_scope(scope):
        return keras.Variable(1.0, dtype="float64", name=name)


def take_steps(variables, sgd, count):
    """On the loss p^2 / 2 of every weight p."""
    for _ in range(count):
        sgd.apply([tf.identity(v.value) for v in variables], variables)


def test_ten_steps_of_the_four_groups_equal_the_recorded_values():
    variables = [scalar_at(path) for path in FACTORS]
    assert [variable.path for variable in variables] == list(FACTORS)
    sgd, trace = make_sgd(), []
    for _ in range(10):
        take_steps(variables, sgd, 1)
        trace.append([float(v.value) for v in variables])
    np.testing.assert_allclose(trace, RECORDED, rtol=1e-6)


def test_the_recorded_values_are_torchs():
    torch = pytest.importorskip("torch")
    parameters = [
        torch.ones([], dtype=torch.float64, requires_grad=True) for _ in "1234"
    ]
    groups = [
        {"params": [parameter], "lr": factor * BASE_RATE}
        for parameter, factor in zip(parameters, FACTORS.values(), strict=True)
    ]
    sgd = torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=5e-4)
    trace = []
    for step in range(10):
        if step == 5:
            for group in sgd.param_groups:
                group["lr"] *= 0.1
        sgd.zero_grad()
        sum(p**2 / 2 for p in parameters).backward()
        sgd.step()
        trace.append([p.item() for p in parameters])
    np.testing.assert_allclose(trace, RECORDED, rtol=1e-9)


def build(seed: int = 0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input([6]), keras.layers.Dense(3, name="classifier")], name="small"
    )
    sgd = make_sgd()
    sgd.build(model.trainable_variables)
    return model, sgd


@pytest.mark.parametrize("saved_after", [3, 5])
def test_a_restored_optimizer_goes_on_exactly_through_the_drop(tmp_path, saved_after):
    model, sgd = build()
    take_steps(model.trainable_variables, sgd, saved_after)
    Checkpointer(tmp_path, model, sgd).save(1)
    again, again_sgd = build(seed=7)
    assert Checkpointer(tmp_path, again, again_sgd).restore() == 1
    take_steps(model.trainable_variables, sgd, 10 - saved_after)
    take_steps(again.trainable_variables, again_sgd, 10 - saved_after)
    assert int(again_sgd.iterations) == 10
    for ours, expected in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)

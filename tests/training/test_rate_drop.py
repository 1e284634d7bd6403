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


def make_torch_sgd(torch, parameters: dict[int, list]):
    """torch's optimizer with the four groups: {factor: parameters}."""
    groups = [{"params": p, "lr": k * BASE_RATE} for k, p in parameters.items()]
    return torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=5e-4)


def drop_torch_rate(sgd):
    for group in sgd.param_groups:
        group["lr"] *= 0.1


def scalar_at(path: str) -> keras.Variable:
    scope, name = path.split("/")
    with keras.name_scope(scope):
        return keras.Variable(1.0, dtype="float64", name=name)


def test_ten_steps_of_the_four_groups_equal_the_recorded_values():
    variables = [scalar_at(path) for path in FACTORS]
    assert [variable.path for variable in variables] == list(FACTORS)
    sgd, trace = make_sgd(), []
    for _ in range(10):
        sgd.apply([tf.identity(v.value) for v in variables], variables)
        trace.append([float(v.value) for v in variables])
    np.testing.assert_allclose(trace, RECORDED, rtol=1e-6)


def test_the_recorded_values_are_torchs():
    torch = pytest.importorskip("torch")
    parameters = [
        torch.ones([], dtype=torch.float64, requires_grad=True) for _ in "1234"
    ]
    sgd = make_torch_sgd(
        torch, {k: [p] for k, p in zip(FACTORS.values(), parameters, strict=True)}
    )
    trace = []
    for step in range(10):
        if step == 5:
            drop_torch_rate(sgd)
        sgd.zero_grad()
        sum(p**2 / 2 for p in parameters).backward()
        sgd.step()
        trace.append([p.item() for p in parameters])
    np.testing.assert_allclose(trace, RECORDED, rtol=1e-9)


@pytest.fixture
def batch(rng) -> tuple[np.ndarray, np.ndarray]:
    """Eight examples of six numbers, and their labels of three."""
    return rng.normal(size=[8, 6]), rng.integers(0, 3, 8)


def build_model(seed: int = 0) -> keras.Model:
    """A float64 network with every kind of variable: two fresh parts on one trunk."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input([6], dtype="float64")
    kwargs = {"dtype": "float64"}
    x = keras.layers.Dense(5, use_bias=False, name="trunk", **kwargs)(inputs)
    x = keras.layers.BatchNormalization(epsilon=1e-5, name="norm", **kwargs)(x)
    x = keras.layers.ReLU(**kwargs)(x)
    scores = keras.layers.Dense(3, name="classifier", **kwargs)(x)
    maps = keras.layers.Dense(3, name="foreground_generator", **kwargs)(x)
    return keras.Model(inputs, [scores, maps])


def take_steps(model, sgd, batch, count):
    """Steps on CE(scores, y) + mean(sigmoid(maps)), training mode."""
    examples, labels = batch
    for _ in range(count):
        with tf.GradientTape() as tape:
            scores, maps = model(examples, training=True)
            errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)
            loss = tf.reduce_mean(errors) + tf.reduce_mean(tf.sigmoid(maps))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        sgd.apply(gradients, model.trainable_variables)


def values_of(model) -> dict[str, np.ndarray]:
    return {v.path: v.numpy().copy() for v in model.trainable_variables}


def torch_twin(torch, model) -> tuple[dict, dict]:
    """The same network in torch: its parts by name, its parameters by Keras path."""
    parts = {
        "trunk": torch.nn.Linear(6, 5, bias=False),
        "norm": torch.nn.BatchNorm1d(5),
        "classifier": torch.nn.Linear(5, 3),
        "foreground_generator": torch.nn.Linear(5, 3),
    }
    parameters = {}
    for path, value in values_of(model).items():
        part, kind = path.split("/")
        key = "weight" if kind in ("kernel", "gamma") else "bias"
        parameter = torch.nn.Parameter(torch.from_numpy(value.T.copy()))
        setattr(parts[part], key, parameter)
        parameters[path] = parameter
    return parts, parameters


def torch_loss(torch, parts, batch):
    examples, labels = map(torch.from_numpy, batch)
    hidden = torch.relu(parts["norm"].double()(parts["trunk"](examples)))
    errors = torch.nn.functional.cross_entropy(parts["classifier"](hidden), labels)
    return errors + torch.sigmoid(parts["foreground_generator"](hidden)).mean()


GROUPS = {
    1: ["trunk/kernel", "norm/gamma"],
    2: ["norm/beta"],
    10: ["classifier/kernel", "foreground_generator/kernel"],
    20: ["classifier/bias", "foreground_generator/bias"],
}


def take_torch_steps(torch, parts, parameters, batch):
    sgd = make_torch_sgd(
        torch, {k: [parameters[path] for path in paths] for k, paths in GROUPS.items()}
    )
    for step in range(10):
        if step == 5:
            drop_torch_rate(sgd)
        sgd.zero_grad()
        torch_loss(torch, parts, batch).backward()
        sgd.step()


def test_a_network_follows_torch_through_the_drop(batch):
    """The movement of every variable agrees to 1e-6 of the largest in it."""
    torch = pytest.importorskip("torch")
    model = build_model()
    start = values_of(model)
    parts, parameters = torch_twin(torch, model)
    take_torch_steps(torch, parts, parameters, batch)
    take_steps(model, make_sgd(), batch, 10)
    assert sorted(start) == sorted(sum(GROUPS.values(), []))
    for path, value in values_of(model).items():
        moved = parameters[path].detach().numpy().T - start[path]
        assert np.abs(moved).max() > 1e-3, path
        np.testing.assert_allclose(
            value - start[path], moved, rtol=0, atol=1e-6 * np.abs(moved).max()
        )


def assert_equal_values(ours: dict, expected: dict):
    assert ours.keys() == expected.keys()
    for path, value in ours.items():
        np.testing.assert_array_equal(value, expected[path], err_msg=path)


def restored_from_checkpoint(tmp_path, model, sgd):
    Checkpointer(tmp_path, model, sgd).save(1)
    model, sgd = build_model(seed=7), make_sgd()
    sgd.build(model.trainable_variables)
    assert Checkpointer(tmp_path, model, sgd).restore() == 1
    return model, sgd


def restored_from_own_variables(tmp_path, model, sgd):
    store = {}
    sgd.save_own_variables(store)
    np.savez(tmp_path / "optimizer.npz", **store)
    weights = model.get_weights()
    model, sgd = build_model(seed=7), make_sgd()
    model.set_weights(weights)
    sgd.build(model.trainable_variables)
    with np.load(tmp_path / "optimizer.npz") as store:
        sgd.load_own_variables(store)
    return model, sgd


@pytest.mark.parametrize(
    "restored", [restored_from_checkpoint, restored_from_own_variables]
)
@pytest.mark.parametrize("saved_after", [3, 5])
def test_a_restored_optimizer_goes_on_exactly_through_the_drop(
    batch, tmp_path, restored, saved_after
):
    model, sgd = build_model(), make_sgd()
    take_steps(model, sgd, batch, saved_after)
    again, again_sgd = restored(tmp_path, model, sgd)
    assert_equal_values(values_of(again), values_of(model))
    take_steps(model, sgd, batch, 10 - saved_after)
    take_steps(again, again_sgd, batch, 10 - saved_after)
    assert int(again_sgd.iterations) == 10
    assert_equal_values(values_of(again), values_of(model))


def test_what_is_restored_matters(batch):
    """Without its velocity and step count, the optimizer goes somewhere else."""
    model, sgd = build_model(), make_sgd()
    take_steps(model, sgd, batch, 3)
    forgetful = build_model(seed=7)
    forgetful.set_weights(model.get_weights())
    take_steps(model, sgd, batch, 7)
    take_steps(forgetful, make_sgd(), batch, 7)
    ours, other = values_of(model), values_of(forgetful)
    assert np.abs(ours["trunk/kernel"] - other["trunk/kernel"]).max() > 1e-4

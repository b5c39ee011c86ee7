"""What both mirrors promise of small networks; run by `tests/pytorch` and `tests/tensorflow`."""

import inspect

import numpy as np
import pytest

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy import training_tricks as tricks

PLAN = tricks.NetworkPlan(6, 3, (8,))


@pytest.fixture(scope="session")
def clouds():
    """Three clouds of points: inputs `(90, 6)` and labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    return (3 * np.eye(6)[labels] + rng.standard_normal((90, 6))).astype(np.float32), labels


def train(mirror, clouds, plan=PLAN, **kwargs):
    kwargs = {"networks": 2, "epochs": 3, "batch_size": 16, "lr": 0.01} | kwargs
    return mirror.train_networks(plan, *clouds, *clouds, **kwargs)


class TestTrainNetworks:
    @pytest.mark.parametrize("optimizer", tricks.OPTIMIZERS)
    def test_every_optimizer_lowers_the_loss(self, networks, clouds, optimizer):
        lr = 0.1 if optimizer in ("sgd", "adagrad") else 0.02
        run = train(networks, clouds, optimizer=optimizer, lr=lr, epochs=6)
        assert run.loss.shape == run.val_loss.shape == run.val_accuracy.shape == (2, 6)
        assert run.gradient_norms.shape == (2, 6 * 5)
        assert (run.loss[:, -1] < run.loss[:, 0]).all()
        assert (run.val_accuracy[:, -1] > 0.6).all()

    @pytest.mark.parametrize("batch_norm", [False, True])
    def test_one_sgd_step_is_what_the_calculus_says(self, networks, clouds, batch_norm):
        plan = tricks.NetworkPlan(6, 3, (5,), "tanh", batch_norm)
        first = tricks.initial_weights(plan, 2, seed=3)
        x, y = clouds
        run = networks.train_networks(
            plan, x, y, x, y, networks=2, epochs=1, batch_size=90, optimizer="sgd", lr=1e-3, seed=3
        )
        slope = (run.weights["kernel1"] - first["kernel1"]) / -1e-3
        # By hand: the gradient of the last layer is outputs times (probabilities - labels), a mean over the images.
        z = x @ first["kernel0"] + first["bias0"]
        if batch_norm:
            z = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + tricks.BATCH_NORM_EPSILON)
        h = np.tanh(z)
        odds = np.exp(h @ first["kernel1"] + first["bias1"])
        wrong = odds / odds.sum(-1, keepdims=True) - np.eye(3)[y]
        np.testing.assert_allclose(slope, h.transpose(0, 2, 1) @ wrong / 90, atol=2e-3)

    def test_batch_statistics_are_a_running_mean(self, networks, clouds):
        plan = tricks.NetworkPlan(6, 3, (5,), batch_norm=True)
        x, y = clouds
        run = networks.train_networks(plan, x, y, x, y, networks=1, epochs=1, batch_size=90, lr=0.0, seed=1)
        z = x @ tricks.initial_weights(plan, 1, seed=1)["kernel0"]
        np.testing.assert_allclose(run.weights["mean0"], 0.1 * z.mean(1, keepdims=True), atol=1e-5)
        np.testing.assert_allclose(run.weights["variance0"], 0.9 + 0.1 * z.var(1, keepdims=True), atol=1e-5)

    def test_networks_do_not_see_one_another(self, networks, clouds):
        """Each has a gradient of its own, which is clipped by itself."""
        run = train(networks, clouds, clip_norm=0.1, optimizer="sgd", lr=1.0, epochs=1, batch_size=90, networks=3)
        start = tricks.initial_weights(PLAN, 3)
        moved = tricks.to_rows(run.weights) - tricks.to_rows(start)
        np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 0.1, rtol=1e-3)

    def test_clipping_by_value(self, networks, clouds):
        run = train(networks, clouds, clip_value=0.01, optimizer="sgd", lr=1.0, epochs=1, batch_size=90)
        moved = tricks.to_rows(run.weights) - tricks.to_rows(tricks.initial_weights(PLAN, 2))
        assert np.abs(moved).max() == pytest.approx(0.01, rel=1e-3)

    def test_decay_without_a_gradient_shrinks_kernels_only(self, networks, clouds):
        x, y = np.zeros((32, 6), np.float32), np.arange(32) % 3
        run = networks.train_networks(
            PLAN, x, y, x, y, networks=1, epochs=2, batch_size=32, optimizer="sgd", lr=0.1, weight_decay=0.5
        )
        start = tricks.initial_weights(PLAN, 1)
        np.testing.assert_allclose(run.weights["kernel0"], start["kernel0"] * 0.95**2, rtol=1e-5)
        assert run.weights["bias1"].any()  # it still learns

    def test_l2_equals_decay_for_sgd_but_not_for_adam(self, networks, clouds):
        for optimizer, same in (("sgd", True), ("adam", False)):
            a, b = (train(networks, clouds, optimizer=optimizer, **{way: 0.5}) for way in ("l2", "weight_decay"))
            assert np.allclose(a.weights["kernel0"], b.weights["kernel0"], atol=1e-5) is same

    def test_dropout_changes_training_and_not_prediction(self, networks, clouds):
        run = train(networks, clouds, dropout=0.5, lr=0.0, epochs=2)
        np.testing.assert_allclose(run.val_loss[:, 0], run.val_loss[:, 1])
        assert (np.abs(run.loss[:, 0] - run.val_loss[:, 0]) > 1e-3).all()

    def test_the_same_seed_gives_the_same_networks(self, networks, clouds):
        a, b, c = (train(networks, clouds, seed=seed, dropout=0.2).weights["kernel0"] for seed in (1, 1, 2))
        np.testing.assert_allclose(a, b, atol=1e-6)
        assert not np.allclose(a, c, atol=1e-2)

    def test_the_last_epochs_are_kept(self, networks, clouds):
        run = train(networks, clouds, snapshots=2)
        assert len(run.snapshots) == 2
        np.testing.assert_array_equal(run.snapshots[-1]["kernel0"], run.weights["kernel0"])
        assert train(networks, clouds).snapshots == []

    def test_rates_may_change_from_step_to_step(self, networks, clouds):
        rates = np.zeros(3 * 5)
        rates[:5] = 0.01
        run = train(networks, clouds, lr=rates, optimizer="sgd", snapshots=3)
        np.testing.assert_array_equal(run.snapshots[0]["kernel0"], run.snapshots[2]["kernel0"])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"optimizer": "adma"}, "Did you mean 'adam'"),
            ({"initialisation": "hee"}, "Did you mean 'he'"),
            ({"batch_size": 91}, "batch_size of 1 to 90"),
            ({"dropout": 1.0}, "dropout from 0"),
            ({"lr": np.ones(4)}, "15 of them"),
            ({"plan": tricks.NetworkPlan(5, 3)}, r"\(n, 5\)"),
            ({"plan": tricks.NetworkPlan(6, 2)}, "labels of 0 to 1"),
        ],
    )
    def test_bad_arguments_are_told(self, networks, clouds, change, message):
        with pytest.raises(ValueError, match=message):
            train(networks, clouds, **change)


class TestLayerSpreads:
    def test_unit_weights_spread_by_the_root_of_n(self, networks):
        plan = tricks.NetworkPlan(400, 2, (300, 300), "linear")
        x = np.random.default_rng(0).standard_normal((64, 400)).astype(np.float32)
        outputs, gradients = networks.layer_spreads(
            plan, tricks.initial_weights(plan, 2, initialisation="unit"), x, np.arange(64) % 2
        )
        assert outputs.shape == gradients.shape == (2, 2)
        np.testing.assert_allclose(outputs, [[20, 20 * 300**0.5]] * 2, rtol=0.1)
        np.testing.assert_allclose(gradients[:, 0] / gradients[:, 1], 300**0.5, rtol=0.15)


class TestFollowOptimizer:
    @pytest.mark.parametrize(
        ("optimizer", "first", "second"),
        [
            ("sgd", 2, 2),
            ("momentum", 2, 3.8),
            ("adagrad", 1, 0.5**0.5),
            ("rmsprop", 0.1**-0.5, 0.19**-0.5),
            ("adam", 1, 1),
        ],
    )
    def test_two_steps_down_a_constant_slope(self, networks, optimizer, first, second):
        path = networks.follow_optimizer(optimizer, lambda w: np.full_like(w, 2), np.zeros(3), steps=2, lr=0.01)
        assert path.shape == (3, 3)
        np.testing.assert_allclose(-np.diff(path, axis=0) / 0.01, [[first] * 3, [second] * 3], rtol=1e-4)

    def test_decay_and_rates_a_step(self, networks):
        path = networks.follow_optimizer("adam", lambda w: 0 * w, np.ones(1), steps=2, lr=[0.1, 0.2], weight_decay=0.5)
        np.testing.assert_allclose(path[:, 0], [1, 0.95, 0.95 * 0.9], rtol=1e-6)

    def test_l2_joins_the_gradient(self, networks):
        path = networks.follow_optimizer("sgd", lambda w: 0 * w, np.ones(1), steps=1, lr=0.1, l2=0.5)
        assert path[1, 0] == pytest.approx(0.95)

    def test_an_unknown_optimizer(self, networks):
        with pytest.raises(UnknownNameError, match="adagrad"):
            networks.follow_optimizer("adagrat", lambda w: w, np.ones(1), steps=1, lr=0.1)


def test_both_mirrors_have_the_same_signatures(networks):
    expected = {
        "build_optimizer": "name, variables, lr",
        "follow_optimizer": "optimizer, gradient, start, steps, lr, l2, weight_decay",
        "layer_spreads": "plan, weights, x, y",
        "train_networks": "plan, x, y, x_val, y_val, networks, epochs, batch_size, optimizer, lr, initialisation, "
        "dropout, l2, weight_decay, clip_norm, clip_value, snapshots, seed",
    }
    found = {name: ", ".join(inspect.signature(getattr(networks, name)).parameters) for name in expected}
    assert found == expected

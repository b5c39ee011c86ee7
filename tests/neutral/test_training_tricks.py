"""Small networks in numpy, schedules, averages, and the figures about them."""

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

matplotlib.use("Agg")

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy import training_tricks as tricks
from tlhelpers.legacy import training_tricks_plots as figures


@pytest.fixture(autouse=True)
def close_figures():
    yield
    figures.plt.close("all")


def plans(**kwargs):
    return st.builds(
        tricks.NetworkPlan,
        inputs=st.integers(1, 6),
        classes=st.integers(2, 4),
        hidden=st.lists(st.integers(1, 5), max_size=3).map(tuple),
        activation=st.sampled_from(tricks.ACTIVATIONS),
        batch_norm=st.booleans(),
        **kwargs,
    )


class TestFirstWeights:
    @pytest.mark.parametrize(
        ("initialisation", "expected"), [("unit", 1), ("glorot", (2 / 500) ** 0.5), ("he", 0.1), (0.5, 0.05)]
    )
    def test_their_spread(self, initialisation, expected):
        plan = tricks.NetworkPlan(200, 300, ())
        kernel = tricks.initial_weights(plan, 3, initialisation=initialisation)["kernel0"]
        assert kernel.std() == pytest.approx(expected, rel=0.02)
        assert tricks.weight_spread(initialisation, 200, 300) == pytest.approx(expected)

    def test_networks_differ_and_seeds_repeat(self):
        plan = tricks.NetworkPlan(4, 2)
        one, again, other = (tricks.initial_weights(plan, 2, seed=seed)["kernel0"] for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, again)
        assert (one != other).all()
        assert (one[0] != one[1]).all()

    @settings(max_examples=30, deadline=None)
    @given(plan=plans(), networks=st.integers(1, 3))
    def test_rows_hold_all_that_is_trained(self, plan, networks):
        weights = tricks.initial_weights(plan, networks)
        rows, kernels = tricks.to_rows(weights), tricks.kernel_columns(weights)
        trained = [value for name, value in weights.items() if tricks.is_trained(name)]
        assert rows.shape == (networks, sum(value[0].size for value in trained))
        shapes = {name: value.shape for name, value in weights.items() if tricks.is_trained(name)}
        back = tricks.from_rows(rows, shapes)
        assert all((back[name] == weights[name]).all() for name in shapes)
        assert kernels.sum() == sum(value[0].size for name, value in weights.items() if name.startswith("kernel"))

    def test_names_that_nobody_knows_get_a_proposal(self):
        with pytest.raises(UnknownNameError, match="glorot"):
            tricks.weight_spread("glorott", 2, 2)
        with pytest.raises(UnknownNameError, match="relu"):
            tricks.NetworkPlan(2, 2, activation="rellu")
        with pytest.raises(UnknownNameError, match="cosine"):
            tricks.learning_rates("cosin", 1, 10)


class TestPredictions:
    @settings(max_examples=30, deadline=None)
    @given(plan=plans(), networks=st.integers(1, 3), n=st.integers(1, 5), seed=st.integers(0, 99))
    def test_probabilities_sum_to_one(self, plan, networks, n, seed):
        x = np.random.default_rng(seed).standard_normal((n, plan.inputs))
        p = tricks.predict_networks(plan, tricks.initial_weights(plan, networks, seed=seed), x)
        assert p.shape == (networks, n, plan.classes)
        np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5)

    def test_cross_entropy_and_right_answers(self):
        p = np.array([[[0.5, 0.5], [0.1, 0.9]], [[0.25, 0.75], [1.0, 0.0]]])
        labels = np.array([0, 1])
        np.testing.assert_allclose(tricks.cross_entropy(labels, p)[0], -np.log([0.5, 0.9]).mean())
        np.testing.assert_array_equal(tricks.right_answers(labels, p), [[True, True], [False, False]])

    def test_a_network_that_diverged_is_never_right(self):
        p = np.full((1, 3, 2), np.nan)
        assert not tricks.right_answers(np.zeros(3, int), p).any()


class TestAverages:
    def test_all_count_alike_or_the_newest_most(self):
        snapshots = [{"w": np.full((1, 2), value, np.float32)} for value in (0, 1, 2)]
        np.testing.assert_allclose(tricks.average_weights(snapshots)["w"], 1)
        np.testing.assert_allclose(tricks.average_weights(snapshots, decay=0.5)["w"], (1 * 0.5 + 2) / 1.75)


class TestSchedules:
    @given(kind=st.sampled_from(tricks.SCHEDULES), steps=st.integers(8, 200), warmup=st.integers(0, 4))
    def test_none_exceeds_the_rate_and_all_reach_it(self, kind, steps, warmup):
        rates = tricks.learning_rates(kind, 0.1, steps, warmup=warmup)
        assert rates.shape == (steps,)
        assert (rates > 0).all()
        assert rates.max() <= 0.1
        assert rates.max() >= 0.04

    def test_their_shapes(self):
        np.testing.assert_allclose(tricks.learning_rates("step", 1, 8), [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])
        np.testing.assert_allclose(tricks.learning_rates("cosine", 1, 4)[[0, 2]], [1, 0.5])
        np.testing.assert_allclose(tricks.learning_rates("constant", 1, 4, warmup=2), [0.5, 1, 1, 1])


class TestAnswers:
    @pytest.mark.parametrize(
        ("answer", "right", "says"),
        [(None, False, "my_answer"), (0.0201, True, "✔"), (0.03, False, "✘ Not yet. Root.")],
    )
    def test_what_a_learner_reads(self, capsys, answer, right, says):
        assert tricks.check_number(answer, 0.02, hint="Root.") is right
        assert says in capsys.readouterr().out

    def test_it_speaks_spanish(self, capsys):
        tricks.check_number(1, 2, hint="Raíz.", language="es")
        assert "Todavía no. Raíz." in capsys.readouterr().out


class TestFigures:
    def test_every_word_has_both_languages(self):
        assert all(len(words) == 2 and all(words) for words in figures._WORDS.values())

    @pytest.mark.parametrize(("language", "label"), [("en", "Epoch"), ("es", "Época")])
    def test_curves_show_the_mean_of_the_networks(self, language, label):
        values = np.array([[1.0, 2, np.inf], [3, 4, 5]])
        ax = figures.plot_curves([1, 2, 3], {"a": values}, ("epoch", "loss"), language=language)
        assert ax.get_xlabel() == label
        np.testing.assert_allclose(ax.lines[0].get_ydata()[:2], [2, 3])
        assert len(ax.collections) == 1  # the band

    def test_paths_have_a_panel_each(self):
        paths = {name: np.zeros((3, 2)) for name in "abcd"}
        axes = figures.plot_paths(paths, lambda w: (w**2).sum(-1))
        assert [ax.get_title() for ax in axes.flat[:4]] == list("abcd")

    def test_luck_is_drawn_in_points(self):
        ax = figures.plot_luck({"3 seeds": np.array([-0.01, 0.02])})
        assert ax.get_xlim()[1] > 1

    def test_arrows_end_at_their_entries(self):
        ax = figures.plot_arrows({"g": np.array([0.5, 2.0])})
        np.testing.assert_allclose(ax.lines[1].get_xydata()[-1], [0.5, 2])

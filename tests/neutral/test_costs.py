"""Timing, the closed formula, budgets and the figures of costs, without a framework."""

import time
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlhelpers.legacy import cost_plots
from tlhelpers.legacy.costs import (
    Cost,
    convolution_multiply_adds,
    fastest_in_turns,
    median_seconds,
    on_the_front,
    within_budget,
)
from tlhelpers.legacy.weights_files import PUBLISHED, WEIGHTS
from tlhelpers.metrics import Estimate

SMALL = Cost(300_000, 16_000_000, 1_200_000, 1.5, 1000.0)
LARGE = Cost(15_000_000, 15_000_000_000, 59_000_000, 350.0, 2.0)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def count_by_loops(in_channels, out_channels, kernel, height, width, groups):
    """One multiply-add at a time, as a convolution is defined."""
    count = 0
    for _ in range(height * width):
        for out_channel in range(out_channels):
            group = out_channel // (out_channels // groups)
            for in_channel in range(in_channels):
                if in_channel // (in_channels // groups) == group:
                    count += kernel * kernel
    return count


@given(
    groups=st.integers(1, 3), ins=st.integers(1, 3), outs=st.integers(1, 3), kernel=st.integers(1, 5),
    height=st.integers(1, 4), width=st.integers(1, 4),
)  # fmt: skip
def test_the_formula_is_the_count_of_the_loops(groups, ins, outs, kernel, height, width):
    arguments = (ins * groups, outs * groups, kernel, height, width, groups)
    assert convolution_multiply_adds(*arguments) == count_by_loops(*arguments)


def test_groups_must_divide_the_channels():
    with pytest.raises(ValueError, match="groups that divide both 6 and 8"):
        convolution_multiply_adds(6, 8, 3, 4, 4, groups=4)


def test_the_median_ignores_the_first_call_and_one_that_was_disturbed():
    naps = iter([0.2, 0.01, 0.2, 0.01])
    assert median_seconds(lambda: time.sleep(next(naps)), repeats=3) == pytest.approx(0.01, abs=0.02)


def test_slow_calls_are_not_repeated_for_long():
    calls = []

    def slow():
        calls.append(0)
        time.sleep(0.05)

    median_seconds(slow, repeats=100, warm_up=0, enough=0.12)
    assert 2 <= len(calls) <= 3


def test_turns_are_fair_and_the_least_disturbed_call_counts():
    order = []
    naps = {"a": iter([0.1, 0.01, 0.1, 0.1]), "b": iter([0.0, 0.1, 0.03, 0.1])}

    def nap(name):
        order.append(name)
        time.sleep(next(naps[name]))

    fastest = fastest_in_turns({"a": lambda: nap("a"), "b": lambda: nap("b")}, rounds=3)
    assert order == ["a", "b"] * 4
    assert fastest["a"] == pytest.approx(0.01, abs=0.015)
    assert fastest["b"] == pytest.approx(0.03, abs=0.015)
    with pytest.raises(ValueError, match="rounds >= 1"):
        fastest_in_turns({}, rounds=0)


@pytest.mark.parametrize("arguments", [{"repeats": 0}, {"warm_up": -1}])
def test_nothing_to_time_is_refused(arguments):
    with pytest.raises(ValueError, match="expected repeats >= 1"):
        median_seconds(lambda: None, **arguments)


def test_a_budget_keeps_what_fits():
    costs = {"small": SMALL, "large": LARGE}
    assert within_budget(costs, latency_ms=1.5, size_mb=1.2) == ["small"]
    assert within_budget(costs, latency_ms=1.4) == []
    assert within_budget(costs) == ["small", "large"]
    assert within_budget(costs, multiply_adds=1e9) == ["small"]


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 1)), min_size=1, max_size=8))
def test_nothing_beats_the_front_and_something_on_it_beats_the_rest(points):
    costs = {str(k): replace(SMALL, latency_ms=cost) for k, (cost, _) in enumerate(points)}
    accuracies = {str(k): accuracy for k, (_, accuracy) in enumerate(points)}
    front = on_the_front(costs, accuracies)

    def beats(a, b):
        cost_a, cost_b = costs[a].latency_ms, costs[b].latency_ms
        no_worse = cost_a <= cost_b and accuracies[a] >= accuracies[b]
        return no_worse and (cost_a < cost_b or accuracies[a] > accuracies[b])

    assert front
    for name in costs:
        assert (name in front) == (not any(beats(other, name) for other in costs))


def test_a_network_of_unknown_accuracy_is_never_on_the_front():
    assert on_the_front({"a": SMALL, "b": LARGE}, {"a": None, "b": 0.7}) == ["b"]


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_table_leaves_unknown_accuracy_blank(language):
    table = cost_plots.format_costs({"a": SMALL, "b": LARGE}, {"a": None, "b": 0.7159}, language=language)
    heading, _, first, second = table.splitlines()
    assert len({len(line) for line in (heading, first, second)}) == 1
    assert second.endswith({"en": "71.6", "es": "71,6"}[language])
    assert first.endswith(" ")


@pytest.mark.parametrize("language", ["en", "es"])
def test_figures_name_every_network(language):
    costs = {"small": SMALL, "large": LARGE, "middle": replace(SMALL, latency_ms=20.0)}
    known = {"small": None, "large": 0.7, "middle": Estimate(0.6, 0.5, 0.7)}
    for ax in (
        cost_plots.plot_accuracy_over_cost(costs, known, language=language),
        cost_plots.plot_latency_over_multiply_adds(costs, language=language),
    ):
        assert {"small", "large", "middle"} <= {text.get_text() for text in ax.texts}
        assert ax.get_xlabel()
        assert ax.get_ylabel()


def test_the_explorer_says_what_remains(capsys):
    pytest.importorskip("ipywidgets")
    box = cost_plots.explore_budget({"small": SMALL, "large": LARGE}, {"small": None, "large": 0.7})
    latency, size, answer = box.children
    assert "large" in answer.value  # the sliders begin where everything fits
    latency.value = latency.min
    assert "large" not in answer.value
    assert np.isfinite(size.value)


def test_published_numbers_are_fractions_with_a_source():
    for facts in PUBLISHED.values():
        assert 0.5 < facts.top1 < 1
        assert facts.top1_source.startswith("https://")
        assert facts.licence
        assert facts.licence_source
    keras = {name for name, framework in WEIGHTS if framework == "tensorflow" and not name.endswith("_with_head")}
    assert keras == {name for name, framework in PUBLISHED if framework == "tensorflow"}

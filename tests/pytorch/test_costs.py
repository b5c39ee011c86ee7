"""What both mirrors promise of costs, here for pytorch."""

import pytest

from tests.costs_mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def mirror():
    import tlhelpers.legacy.pytorch

    return tlhelpers.legacy.pytorch


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_counts_are_those_of_torchvision_s_metadata(mirror, costs, name):
    from torchvision import models

    ops = models.get_model_weights(name)["IMAGENET1K_V1"].meta["_ops"]
    backbone = mirror.load_backbone(name, weights="random")
    assert costs.count_multiply_adds(backbone) / 1e9 == pytest.approx(ops, rel=0.01)


def test_facts_belong_to_the_weights_that_are_fetched(costs):
    facts = costs.published_facts("resnet50")
    assert facts.top1 == pytest.approx(0.7613)  # the first recipe's, not the second's 0.80
    assert "IMAGENET1K_V1" in facts.top1_source
    assert costs.published_facts("vit_b_16").top1 == pytest.approx(0.81072)


def test_timm_states_the_licence_and_leaves_accuracy_blank(costs):
    facts = costs.published_facts("timm/vit_tiny_patch16_224")
    assert (facts.top1, facts.licence) == (None, "apache-2.0")

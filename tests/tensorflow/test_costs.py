"""What both mirrors promise of costs, here for tensorflow."""

import pytest

from tests.costs_mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def mirror():
    import tlhelpers.legacy.tensorflow

    return tlhelpers.legacy.tensorflow


def test_the_profiler_counts_twice_as_many_operations(costs):
    """TensorFlow's own profiler, on one convolution: a multiplication and an addition for each multiply-add."""
    import keras
    import tensorflow as tf
    from tensorflow.python.profiler import model_analyzer, option_builder

    inputs = keras.Input((20, 20, 6))
    model = keras.Model(inputs, keras.layers.Conv2D(8, 3, strides=2, use_bias=False)(inputs))
    graph = tf.function(model).get_concrete_function(tf.TensorSpec([1, 20, 20, 6])).graph
    options = option_builder.ProfileOptionBuilder(option_builder.ProfileOptionBuilder.float_operation())
    profile = model_analyzer.profile(graph, options=options.with_empty_output().build())
    (node,) = (node for node in graph.get_operations() if node.type == "Conv2D")
    assert 2 * costs._convolution(node) == profile.total_float_ops


def test_keras_has_no_weights_for_the_transformer(costs):
    facts = costs.published_facts("vit_b_16")
    assert (facts.top1, facts.licence) == (None, None)


def test_patches_must_fill_the_image(mirror):
    with pytest.raises(ValueError, match="multiple of 16 pixels, got 40"):
        mirror.load_backbone("vit_b_16", weights="random", image_size=40)

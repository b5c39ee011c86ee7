"""What both mirrors promise of guards that look into a model, here for tensorflow."""

import pytest

from tests.guards_mirrors import *  # noqa: F403  (the tests and fixtures themselves)


@pytest.fixture(scope="session")
def mirror():
    import tlhelpers.legacy.tensorflow

    return tlhelpers.legacy.tensorflow


@pytest.fixture
def optimizer_for():
    """Makes an optimizer of what is trainable now."""
    import keras

    def make(model):
        optimizer = keras.optimizers.Adam()
        optimizer.build(model.trainable_variables)
        return optimizer

    return make


def test_an_optimizer_that_is_not_built_yet_lacks_nothing(own, classifier):
    import keras

    assert own.unknown_layers(keras.optimizers.Adam(), classifier) == ()

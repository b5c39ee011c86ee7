"""Our attack against those of torchattacks and foolbox: same model, images, budget and steps."""

import os

import pytest

from benchmarks import attacks
from tlhelpers.legacy.perturbations import draw_targets

FIGURES = ("targeted_4", "untargeted_2")  # at larger budgets all reach nearly all images


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["torchattacks", "foolbox"])
def test_success_is_not_below_that_of_the_peer(peer):
    pytest.importorskip(peer, reason=f"compares with {peer}, which benchmarks/peers.txt installs")
    if not os.environ.get("TLHELPERS_DATA"):
        pytest.skip("needs the photos of Tiny ImageNet in TLHELPERS_DATA")
    import tlhelpers.legacy.pytorch as mirror

    model = mirror.load_source_classifier("mini_resnet")
    images, labels = attacks.right_photos(mirror, model)
    for name in FIGURES:
        targeted, level, steps = attacks.ATTACKS[name]
        targets = draw_targets(labels, model.num_classes) if targeted else None
        ours = mirror.attack(model, images, labels, targets=targets, epsilon=level / 255, steps=steps).success.mean()
        said = mirror.predict_proba(model, attacks.peers(model)[peer](images, labels, targets, level, steps)).argmax(1)
        theirs = (said == targets if targeted else said != labels).mean()
        assert 100 * ours >= 100 * theirs - 1, (name, ours, theirs)

"""Guards: copies in two sets, what moved, the first loss, reference answers; and the table of lesson 05."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tlhelpers.data.splits import Dataset
from tlhelpers.drawn_pets import draw_pets
from tlhelpers.errors import DatasetError, UnknownNameError
from tlhelpers.legacy import guards, mistakes
from tlhelpers.legacy.backbones import AS_IS, CAFFE, IMAGENET, MINUS_ONE_TO_ONE
from tlhelpers.legacy.distortions import distort
from tlhelpers.legacy.mistake_plots import plot_costs
from tlhelpers.metrics import Estimate


@pytest.fixture(scope="module")
def pets():
    return draw_pets(160, seed=3, size=64).images


def dataset(images: np.ndarray, prefix: str) -> Dataset:
    ids = np.array([f"{prefix}/{i}" for i in range(len(images))])
    return Dataset(prefix, images, np.zeros(len(images), np.int64), ("pet",), ids)


def smaller(images: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(image).resize((40, 40))) for image in images])


COPIES = {
    "JPEG 75": lambda x: distort(x, "JPEG 75"),
    "half the size and back": lambda x: distort(x, "resize"),
    "blur": lambda x: distort(x, "blur"),
    "darker": lambda x: (x * 0.6).astype(np.uint8),
    "mirrored": lambda x: x[:, :, ::-1],
    "another size": smaller,
}


class TestOverlap:
    def test_drawings_of_two_seeds_share_nothing(self, pets):
        guards.check_no_overlap(pets, draw_pets(160, seed=4, size=64).images)

    @pytest.mark.parametrize("kind", COPIES)
    def test_copies_are_found_and_nothing_else(self, pets, kind):
        found = guards.find_overlap(pets[:100], COPIES[kind](pets[60:140]))
        assert found.exact == ()
        assert set(found.near) <= {(60 + j, j) for j in range(40)}
        assert len(found.near) >= 38

    def test_exact_copies_keep_their_places(self, pets):
        found = guards.find_overlap(pets[:5], pets[[9, 3, 0, 3]])
        assert (found.exact, found.near) == (((0, 2), (3, 1), (3, 3)), ())
        np.testing.assert_array_equal(found.second, [1, 2, 3])
        assert len(found) == 3

    def test_mirrored_copies_only_where_asked(self, pets):
        assert len(guards.find_overlap(pets[:20], pets[:20, :, ::-1], check_flips=False)) == 0

    def test_pictures_of_one_colour_are_alike_only_where_equal(self):
        plain = np.stack([np.full((16, 16, 3), grey, np.uint8) for grey in (0, 90, 255)])
        assert guards.find_overlap(plain[:2], plain[1:]).exact == ((1, 0),)
        assert guards.find_overlap(plain[:2], plain[1:]).near == ()

    def test_many_pictures_are_compared_in_blocks(self, pets):
        many = np.concatenate([draw_pets(520, seed=8, size=16).images, smaller(pets[:3])[:, :16, :16]])
        assert guards.find_overlap(many[-2:], many).exact == ((0, 521), (1, 522))

    def test_the_message_names_files(self, pets):
        with pytest.raises(DatasetError, match=r"1 pictures .*\(1 exact and 0 near copies\), such as a/2 and b/0"):
            guards.check_no_overlap(dataset(pets[:4], "a"), dataset(pets[2:3], "b"))

    @pytest.mark.parametrize(
        ("images", "options", "message"),
        [
            (np.zeros((2, 8, 8)), {}, r"\(n, h, w, 3\) uint8"),
            (np.zeros((2, 8, 8, 3)), {}, "float64"),
            (np.zeros((2, 8, 8, 3), np.uint8), {"similarity": 1.5}, "at most 1"),
        ],
    )
    def test_what_is_no_set_of_images_is_refused(self, images, options, message):
        with pytest.raises(ValueError, match=message):
            guards.find_overlap(images, images, **options)

    def test_an_empty_set_shares_nothing(self, pets):
        assert len(guards.find_overlap(pets[:0], pets)) == len(guards.find_overlap(pets, pets[:0])) == 0


def shot(**weights: float) -> guards.Snapshot:
    kept = {f"{layer}/{layer}.kernel": np.full((2, 2), value) for layer, value in weights.items()}
    return {"weights": kept, "statistics": {"stem/stem.mean": np.zeros(3)}}


class TestMovement:
    def test_relative_change_by_layer(self):
        movement = guards.compare_snapshots(shot(stem=2.0, head=4.0), shot(stem=2.0, head=5.0))
        assert movement.weights == {"stem": 0.0, "head": 0.25}
        assert (movement.moved, movement.drifted) == (("head",), ())
        guards.check_only_moved(movement, ["head"])

    @settings(max_examples=30, deadline=None)
    @given(scale=st.floats(1e-6, 1e3), step=st.floats(1e-3, 10))
    def test_the_change_has_no_unit(self, scale, step):
        movement = guards.compare_snapshots(shot(head=scale), shot(head=scale * (1 + step)))
        assert movement.weights["head"] == pytest.approx(step, rel=1e-6)

    def test_statistics_alone_are_told_apart(self):
        after = shot(stem=2.0, head=4.0)
        after["statistics"]["stem/stem.mean"] = np.ones(3)
        movement = guards.compare_snapshots(shot(stem=2.0, head=4.0), after)
        assert (movement.moved, movement.drifted) == ((), ("stem",))
        with pytest.raises(ValueError, match="so did stem"):
            guards.check_only_moved(movement, ["head"])
        assert "weights moved: none" in movement.summary()
        assert "pesos que han cambiado: ninguno" in movement.summary("es")

    def test_a_layer_that_should_have_stayed(self):
        movement = guards.compare_snapshots(shot(stem=2.0, head=4.0), shot(stem=2.1, head=5.0))
        with pytest.raises(ValueError, match="only head to move, but so did stem"):
            guards.check_only_moved(movement)
        guards.check_only_moved(movement, ["stem", "head"])

    def test_nothing_moved(self):
        movement = guards.compare_snapshots(shot(head=4.0), shot(head=4.0))
        with pytest.raises(ValueError, match="does the optimizer know"):
            guards.check_only_moved(movement)

    def test_an_unknown_layer_gets_a_proposal(self):
        movement = guards.compare_snapshots(shot(head=4.0), shot(head=5.0))
        with pytest.raises(UnknownNameError, match="Did you mean 'head'"):
            guards.check_only_moved(movement, ["haed"])
        with pytest.raises(UnknownNameError, match="language"):
            movement.summary("fr")

    def test_snapshots_of_two_models(self):
        with pytest.raises(ValueError, match=r"one model; only one of them has stem/stem\.kernel"):
            guards.compare_snapshots(shot(head=1.0), shot(head=1.0, stem=1.0))


class TestNumbers:
    @given(num_classes=st.integers(2, 1000), off=st.floats(0.6, 1.9))
    def test_a_guessing_head_passes(self, num_classes, off):
        guards.check_first_loss(off * np.log(num_classes), num_classes)

    @given(num_classes=st.integers(2, 1000), batch=st.integers(3, 512))
    def test_a_mean_divided_again_does_not(self, num_classes, batch):
        with pytest.raises(ValueError, match="mean divided again"):
            guards.check_first_loss(np.log(num_classes) / batch, num_classes)

    @pytest.mark.parametrize("loss", [float("nan"), float("inf"), 0.0, -1.0, 100.0])
    def test_losses_that_no_untrained_head_has(self, loss):
        with pytest.raises(ValueError, match="first loss near"):
            guards.check_first_loss(loss, 10)

    def test_one_class_has_no_first_loss(self):
        with pytest.raises(ValueError, match="num_classes >= 2"):
            guards.check_first_loss(0.0, 1)

    def test_reference_answers(self):
        kept = np.array([[0.9, 0.1], [0.4, 0.6]])
        guards.check_reference(kept, kept + np.array([0.01, -0.01]))
        guards.check_reference(kept[:0], kept[:0])
        with pytest.raises(ValueError, match=r"difference of 0\.8"):
            guards.check_reference(kept, kept[:, ::-1])
        with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
            guards.check_reference(kept, kept[:1])
        with pytest.raises(ValueError, match="difference of nan"):
            guards.check_reference(kept, kept * np.nan)


class TestMistakes:
    @pytest.mark.parametrize("right", [IMAGENET, MINUS_ONE_TO_ONE, CAFFE, AS_IS])
    def test_no_recipe_is_the_right_one(self, right):
        wrong = mistakes.wrong_preprocessings(right)
        assert right not in wrong.values()
        assert {"BGR", "scaled twice", "other recipe"} <= wrong.keys()

    def test_the_right_recipe_shows_the_picture_itself(self, pets):
        for right in (IMAGENET, CAFFE):
            np.testing.assert_array_equal(mistakes.as_received(pets[:2], right, right), pets[:2])

    def test_swapped_channels_show_swapped_channels(self, pets):
        shown = mistakes.as_received(pets[:2], mistakes.wrong_preprocessings(MINUS_ONE_TO_ONE)["BGR"], MINUS_ONE_TO_ONE)
        np.testing.assert_array_equal(shown, pets[:2, ..., ::-1])

    def test_many_heads_learn_what_can_be_learnt_and_no_more(self):
        rng = np.random.default_rng(0)
        labels, new = rng.integers(0, 3, 300), rng.integers(0, 3, 90)
        means = 3 * rng.normal(size=(3, 20))
        x, x_new = means[labels] + rng.normal(size=(300, 20)), means[new] + rng.normal(size=(90, 20))
        answers = mistakes.random_heads(x, labels, x_new, count=5)
        assert answers.shape == (5, 90)
        assert (answers == new).mean() > 0.9
        np.testing.assert_array_equal(answers, mistakes.random_heads(x, labels, x_new, count=5))
        assert abs((mistakes.random_heads(x, rng.permutation(labels), x_new, count=5) == new).mean() - 1 / 3) < 0.2

    def test_what_accuracy_hides(self):
        rare = np.arange(200) < 10
        hidden = mistakes.hidden_by_accuracy(~rare, rare)  # always "no"
        assert (hidden.value, hidden.low, hidden.high) == pytest.approx((0.45, 0.45, 0.45))
        fair = mistakes.hidden_by_accuracy(np.arange(200) % 10 > 0, rare)
        assert fair.value == pytest.approx(0)
        assert fair.low < 0 < fair.high
        with pytest.raises(ValueError, match="both classes"):
            mistakes.hidden_by_accuracy(rare, rare & False)


class TestTable:
    @pytest.fixture
    def table(self, capsys):
        table = mistakes.MistakeTable("es")
        table.add({"en": "a <b>", "es": "un <error>"}, Estimate(0.2, 0.1, 0.3), {"en": "s", "es": "síntoma"})
        table.add({"en": "b", "es": "otro"}, Estimate(0.01, -0.02, 0.04), {"en": "s", "es": "nada"}, kind="illusion")
        assert capsys.readouterr().out.strip() == str(table)
        return table

    def test_rows_say_what_is_not_visible(self, table):
        first, second = str(table).splitlines()
        assert "un <error>" in first
        assert "+20.0  (de +10.0 a +30.0)" in first
        assert "aquí no se ve" not in first
        assert "aquí no se ve" in second

    def test_the_html_shows_names_as_they_are(self, table):
        shown = table._repr_html_()
        assert "un &lt;error&gt;" in shown
        assert shown.count("<tr>") == 3
        assert "síntoma" in shown

    def test_hollow_marks_where_the_interval_contains_zero(self, table):
        import matplotlib.pyplot as plt

        ax = plot_costs(table)
        faces = [line.get_markerfacecolor() for line in ax.lines if line.get_marker() in "os" and len(line.get_xdata())]
        assert faces[1] == "white" != faces[0]
        assert [label.get_text() for label in ax.get_yticklabels()] == ["un <error>", "otro"]
        plt.close(ax.figure)

    def test_unknown_kinds_and_languages(self, table):
        with pytest.raises(UnknownNameError, match="illusion"):
            table.add({"es": "x"}, Estimate(0, 0, 0), {"es": "x"}, kind="ilusion")
        with pytest.raises(UnknownNameError, match="language"):
            mistakes.MistakeTable("fr")

"""Tasks and probes for the layers of a network, patches and activation maps: what a lesson relies on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tlhelpers.legacy.activation_maps import (
    choosy_channels,
    combine_maps,
    cover_places,
    share_inside,
    strongest_patches,
    strongest_place,
)
from tlhelpers.legacy.probing import (
    change_camera,
    keep_frequent,
    probe_layers,
    resize,
    shuffle_tiles,
    stored_numbers,
    tiny_imagenet_task,
)


def pictures(n: int, side: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3)).astype(np.uint8)


class TestProbes:
    def test_a_layer_that_knows_and_one_that_does_not(self):
        rng = np.random.default_rng(0)
        labels = np.repeat([0, 1, 2], 30)
        features = {"knows": np.eye(3)[labels] + 0.1 * rng.normal(size=(90, 3)), "does not": rng.normal(size=(90, 3))}
        right = probe_layers(features, labels)
        assert right["knows"].dtype == bool
        assert right["knows"].mean() > 0.95
        assert right["does not"].mean() < 0.6

    def test_no_image_is_judged_by_a_probe_that_saw_it(self):
        rng = np.random.default_rng(0)  # with more features than images a probe knows by heart what it saw
        right = probe_layers({"noise": rng.normal(size=(60, 400))}, np.tile([0, 1], 30))
        assert 0.25 < right["noise"].mean() < 0.75

    def test_labels_need_not_begin_at_zero(self):
        labels = np.repeat([3, 7], 20)
        assert probe_layers({"it": labels[:, None].astype(float)}, labels)["it"].all()

    def test_too_few_of_a_class(self):
        with pytest.raises(ValueError, match=r"at least 3 images.*got one with 2"):
            probe_layers({"it": np.zeros((6, 2))}, np.array([0, 0, 0, 0, 1, 1]))


class TestCameraTasks:
    def test_each_change_is_slight_and_told_by_its_label(self):
        images = np.full((200, 32, 32, 3), 128, np.uint8)
        changed, tasks = change_camera(images, seed=1)
        assert changed.dtype == np.uint8
        assert changed.shape == images.shape
        assert set(tasks) == {"blur", "tint", "noise"}
        spread = changed[..., 1].std((1, 2))
        assert (spread[tasks["noise"] == 0] == 0).all()
        assert (spread[(tasks["noise"] == 1)] > 1).all()
        warmth = changed[..., 0].mean((1, 2)) - changed[..., 2].mean((1, 2))
        assert ((warmth > 0) == (tasks["tint"] == 1)).all()
        assert np.abs(changed.astype(int) - 128).mean() < 8

    def test_blur_takes_detail_away(self):
        images = pictures(100, 32)
        changed, tasks = change_camera(images, seed=2)
        detail = np.abs(np.diff(changed.astype(float), axis=1)).mean((1, 2, 3))
        assert detail[tasks["blur"] == 1].max() < detail[tasks["blur"] == 0].min()

    def test_the_seed_decides(self):
        images = pictures(8)
        a, b, c = (change_camera(images, seed=seed)[0] for seed in (1, 1, 2))
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()

    def test_floats_are_refused(self):
        with pytest.raises(TypeError, match="uint8"):
            change_camera(np.zeros((2, 8, 8, 3), np.float32))


class TestTiles:
    @settings(max_examples=40, deadline=None)
    @given(n=st.integers(0, 4), tiles=st.sampled_from([1, 2, 4, 8]), seed=st.integers(0, 100))
    def test_every_tile_is_kept_whole(self, n, tiles, seed):
        images = pictures(n, 16, seed)
        shuffled = shuffle_tiles(images, tiles, seed=seed)
        assert shuffled.shape == images.shape
        width = 16 // tiles
        for before, after in zip(images, shuffled, strict=True):
            kept = [
                sorted(
                    one[r : r + width, c : c + width].tobytes()
                    for r in range(0, 16, width)
                    for c in range(0, 16, width)
                )
                for one in (before, after)
            ]
            assert kept[0] == kept[1]

    def test_tiles_move_and_not_alike_in_all_pictures(self):
        images = np.repeat(pictures(1), 6, axis=0)
        shuffled = shuffle_tiles(images, 4)
        assert (shuffled != images).any((1, 2, 3)).all()
        assert (shuffled[0] != shuffled[1]).any()

    @pytest.mark.parametrize(("shape", "tiles"), [((2, 16, 16, 3), 5), ((2, 16, 8, 3), 4), ((2, 16, 16, 3), 0)])
    def test_what_cannot_be_cut(self, shape, tiles):
        with pytest.raises(ValueError, match="divided"):
            shuffle_tiles(np.zeros(shape, np.uint8), tiles)


def test_frequent_classes_are_numbered_by_frequency():
    labels = np.array([9, 4, 4, 9, 9, 9, 2, 7, 7, 7, 4, 1])
    places, numbers, kept = keep_frequent(labels, 2)
    assert kept.tolist() == [9, 4]
    np.testing.assert_array_equal(kept[numbers], labels[places])
    assert np.bincount(numbers).tolist() == [4, 3]
    assert keep_frequent(labels, 10)[2].tolist() == [9, 4, 7]  # the others come too seldom to be learnt


def test_resize_leaves_the_right_size_alone():
    images = pictures(3)
    assert resize(images, 16) is images
    assert resize(images, 24).shape == (3, 24, 24, 3)


def test_without_a_pack_there_are_no_photos_of_the_source_task(tmp_path):
    assert tiny_imagenet_task(None, 64) is None
    assert tiny_imagenet_task(tmp_path, 64) is None


class TestStoredNumbers:
    x, y = np.random.default_rng(0).normal(size=(40, 7)), np.arange(40) % 4

    @pytest.mark.parametrize(
        ("classifier", "expected"),
        [
            (LogisticRegression(), 4 * 7 + 4),
            (KNeighborsClassifier(3), 40 * 7 + 40),
            (MLPClassifier(5, max_iter=5), 7 * 5 + 5 + 5 * 4 + 4),
            (StandardScaler(), 2 * 7),
        ],
    )
    @pytest.mark.filterwarnings("ignore")
    def test_they_are_counted(self, classifier, expected):
        assert stored_numbers(classifier.fit(self.x, self.y)) == expected

    @pytest.mark.parametrize("kernel", ["rbf", "linear"])
    def test_a_support_vector_machine_remembers_its_border(self, kernel):
        svm = SVC(kernel=kernel).fit(self.x, self.y)
        assert stored_numbers(svm) == len(svm.support_) * 7 + 3 * len(svm.support_) + 6

    def test_others_are_refused(self):
        with pytest.raises(TypeError, match="LogisticRegression"):
            stored_numbers(LogisticRegression())


class TestActivationMaps:
    def test_channels_are_weighed_by_their_mean_gradient(self):
        maps = np.zeros((1, 2, 2, 2), np.float32)
        maps[0, 0, 0, 0] = maps[0, 1, 1, 1] = 1.0
        gradients = np.zeros_like(maps)
        gradients[..., 0], gradients[..., 1] = 2.0, -1.0  # the second channel speaks against the class
        out = combine_maps(maps, gradients, 2)
        np.testing.assert_allclose(out[0], [[1, 0], [0, 0]])

    def test_where_nothing_speaks_for_the_class_all_is_zero(self):
        maps = np.ones((2, 3, 3, 4), np.float32)
        assert not combine_maps(maps, -maps, 12).any()

    @settings(max_examples=40, deadline=None)
    @given(n=st.integers(0, 3), side=st.integers(1, 6), size=st.integers(1, 40), seed=st.integers(0, 99))
    def test_shape_and_range(self, n, side, size, seed):
        rng = np.random.default_rng(seed)
        maps, gradients = rng.normal(size=(2, n, side, side, 3)) * 10.0 ** rng.integers(-6, 6)
        out = combine_maps(maps, gradients, size)
        assert out.shape == (n, size, size)
        assert out.dtype == np.float32
        assert ((out >= 0) & (out <= 1)).all()

    def test_a_layer_without_pixels(self):
        with pytest.raises(ValueError, match="still has pixels"):
            combine_maps(np.zeros((2, 8)), np.zeros((2, 8)), 16)

    def test_share_inside(self):
        maps = np.zeros((3, 4, 4))
        maps[0] = 1
        maps[1, 0, 0] = 5
        masks = np.zeros((3, 4, 4), bool)
        masks[:, :2, :2] = True
        np.testing.assert_array_equal(share_inside(maps, masks), [0.25, 1.0, np.nan])


class TestPlaces:
    def test_the_strongest_place_is_what_gets_covered(self):
        maps = np.zeros((2, 16, 16))
        maps[0, 3, 5] = maps[1, 0, 15] = 1
        places = strongest_place(maps)
        np.testing.assert_array_equal(places, [[3, 5], [0, 15]])
        images = np.zeros((2, 16, 16, 3), np.uint8)
        covered = cover_places(images, places, 4)
        assert not images.any()
        assert (covered[0, 1:5, 3:7] == 128).all()
        assert (covered[0] == 128).sum() == 4 * 4 * 3
        assert (covered[1] == 128).sum() == 2 * 3 * 3  # cut off by the border, as the picture is
        assert (covered[1, 0, 15] == 128).all()

    def test_patches_are_cut_where_the_channel_is_strongest(self):
        images = pictures(4, 32)
        maps = np.zeros((4, 8, 8, 2))
        maps[2, 4, 4, 1], maps[0, 0, 7, 1] = 9, 5
        patches = strongest_patches(images, maps, 1, 8, top=2)
        np.testing.assert_array_equal(patches[0], images[2, 14:22, 14:22])
        np.testing.assert_array_equal(patches[1], images[0, 0:8, 24:32])

    def test_a_choosy_channel_answers_to_few(self):
        maps = np.random.default_rng(0).random((50, 4, 4, 3))
        maps[:3, 1, 1, 2] = 40
        assert choosy_channels(maps, 1).tolist() == [2]

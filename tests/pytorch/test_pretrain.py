"""Training the embedded backbone, on a data set of drawings in Tiny ImageNet's form."""

import io

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.errors import DataNotFoundError
from tlhelpers.weights import mini_resnet_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for part, n in (("train_1", 64), ("val", 16)):
        pets = draw_pets(n, seed=len(part))
        encoded = []
        for image in pets.images:
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "WEBP")
            encoded.append(buffer.getvalue())
        offsets = np.cumsum([0, *map(len, encoded)])
        data = np.frombuffer(b"".join(encoded), np.uint8)
        np.savez(folder / f"{part}.npz", data=data, offsets=offsets, labels=pets.species.astype(np.int16))
    (folder / "classes.tsv").write_text("n1\tcat, house cat\nn2\tdog\n", encoding="utf-8")
    return folder


def test_training_leaves_weights_and_a_card_and_goes_on_where_it_stopped(folder, tmp_path):
    from tlcourse.pretraining import Phase, Recipe, pretrain

    first = pretrain(folder, tmp_path, Recipe((Phase(1, 32, 0.5, 0.1),), batch_size=16, lr=0.02))
    assert [epoch["pixels"] for epoch in first["history"]] == [32]
    more = Recipe((Phase(1, 32, 0.5, 0.1), Phase(1, 64, 0.5, 0.0)), batch_size=16, lr=0.02)
    second = pretrain(folder, tmp_path, more)
    assert second["history"][0] == first["history"][0]  # read back, not trained again
    assert [epoch["pixels"] for epoch in second["history"]] == [32, 64]

    tensors = load_file(tmp_path / "mini_resnet.safetensors")
    assert tensors["conv1.weight"].dtype == np.float16
    assert tensors["fc.weight"].shape == (2, 256)
    assert tensors.keys() == load_file(mini_resnet_file()).keys()
    card = (tmp_path / "mini_resnet.md").read_text(encoding="utf-8")
    assert "64 training photos" in card
    assert "| 1 | 64 | 0.5 | 0 |" in card


def test_folder_without_photos_is_told(tmp_path):
    from tlcourse.pretraining import pretrain

    with pytest.raises(DataNotFoundError, match=r"expected train\*\.npz"):
        pretrain(tmp_path, tmp_path / "out")

"""`tlcourse pretrain`: trains an embedded backbone anew."""

import argparse
from pathlib import Path

from tlhelpers.errors import DataNotFoundError
from tlhelpers.paths import data_folder
from tlhelpers.weights import MINI_RESNET_WIDTHS

PHOTOS = "tiny_imagenet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlcourse pretrain`."""
    parser.add_argument("name", nargs="?", default="mini_resnet", choices=MINI_RESNET_WIDTHS, help="%(default)s")
    parser.add_argument("--data", type=Path, help=f"the folder {PHOTOS}; default: that of TLHELPERS_DATA")
    parser.add_argument(
        "--out", type=Path, default=Path("pretrained"), help="where weights and model card go (%(default)s)"
    )
    parser.add_argument("--compile", action="store_true", help="compile the model first: minutes, then faster epochs")


def run(args: argparse.Namespace) -> int:
    """Trains, which takes an hour on two processor cores.

    Raises:
        DataNotFoundError: No folder with the photos.
    """
    pack = data_folder()
    data = args.data or (pack / PHOTOS if pack else None)
    if data is None or not data.is_dir():
        raise DataNotFoundError(
            f"Expected a folder with the photos of {PHOTOS}, came {data}. Name it with --data, or set TLHELPERS_DATA "
            "to the folder that holds it."
        )
    from tlcourse.pretraining import pretrain

    pretrain(data, args.out, compile_model=args.compile, name=args.name)
    return 0

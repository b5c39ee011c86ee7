"""`tlcourse site`: the course as static pages."""

import argparse
import shutil
from pathlib import Path

from tlcourse.lessons import find_notebooks
from tlcourse.site import build_site
from tlcourse.site_sources import read_host


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlcourse site`."""
    parser.add_argument("--out", type=Path, default=Path("results/site"), help="the folder to write (%(default)s)")
    parser.add_argument("--zip", action="store_true", help="also pack it, for a classroom without a network: OUT.zip")


def run(args: argparse.Namespace) -> int:
    """Builds, packs where asked for, and says where to begin."""
    root = find_notebooks().parent
    out = build_site(root, args.out.resolve(), read_host(root))
    print(f"Open {out / 'index.html'}")
    if args.zip:
        print(shutil.make_archive(str(out), "zip", out.parent, out.name))
    return 0

"""`tlgrade`: notebooks of a class, each in a box, scored from what they leave behind."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tlgrade import gradebooks
from tlgrade.batch import Batch, grade_batch
from tlgrade.box import self_test
from tlgrade.class_report import ClassReport
from tlgrade.feedback import write_feedback
from tlgrade.lab import Lab, find_definition, prepare_lab
from tlgrade.reasons import LANGUAGES
from tlgrade.settings import BoxSettings, Limits, limits_from
from tlgrade.store import ResultStore
from tlgrade.submissions import find_submissions
from tlhelpers.errors import TlhelpersError
from tlhelpers.paths import data_folder

MIB = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlgrade`."""
    limits = Limits()
    parser.add_argument("submissions", type=Path, help="a folder with LEARNER/ANY.ipynb or LEARNER.ipynb")
    parser.add_argument("--lab", default="pets", help="a lab's name, or its YAML file (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/grades"), help="where results go (%(default)s)")
    parser.add_argument("--dataset", help="data set of the hidden images; default: the lab's first")
    parser.add_argument("--image-size", type=int, metavar="PIXELS", help="side of the images; default: the lab's")
    parser.add_argument("--seed", type=int, help="the secret seed; default: drawn once and kept in --out")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of reports (%(default)s)")
    parser.add_argument("--leaderboard", action="store_true", help="also write a leaderboard")
    parser.add_argument("--workers", type=int, help="notebooks at a time; default: one a core; 0: in this process")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a dask scheduler, such as tcp://10.0.0.5:8786")
    parser.add_argument("--threads", type=int, default=1, help="threads of a notebook's numerical libraries")
    parser.add_argument("--wall", type=float, metavar="SECONDS", help=f"for one notebook ({limits.wall:g})")
    parser.add_argument("--memory", type=int, metavar="MIB", help=f"for one notebook ({limits.memory // MIB})")
    parser.add_argument("--processes", type=int, help=f"processes and threads of one notebook ({limits.processes})")
    parser.add_argument("--output", type=int, metavar="MIB", help=f"printed and shown ({limits.output_bytes // MIB})")
    parser.add_argument("--no-fork", action="store_true", help="start each kernel anew, with its imports")
    parser.add_argument("--no-progress", action="store_true", help="show no progress bar")
    parser.add_argument(
        "--trust-submissions", action="store_true",
        help="run WITHOUT a box: only for notebooks of people you would give your account to",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Grades, writes the reports, and says where they are; 1 where something could not be graded."""
    submissions = find_submissions(args.submissions)
    settings = _settings(args)
    if args.trust_submissions:
        print("Without a box: every result is marked as such.", file=sys.stderr)
    else:
        self_test(settings)
    lab = prepare_lab(
        find_definition(args.lab), args.out / "lab", dataset=args.dataset, image_size=args.image_size, seed=args.seed
    )
    settings = BoxSettings.from_json({**settings.to_json(), "lab_data": str(Path(lab.data).resolve())})
    store = ResultStore(args.out / "results")
    batch = grade_batch(
        submissions, (args.out / "lab").resolve(), settings, store,
        scheduler=args.scheduler, workers=args.workers, progress=not args.no_progress,
    )  # fmt: skip
    write_reports(args.out, lab, batch, store, args.language, leaderboard=args.leaderboard)
    found = len(batch.keys) - len(batch.failures) - batch.graded
    print(f"{batch.graded} graded, {found} already there, {len(batch.failures)} could not be graded")
    print(f"{args.out / 'grades.csv'}\n{args.out / 'class.html'}\n{args.out / 'feedback'}")
    for learner, told in list(batch.failures.items())[:10]:
        print(f"{gradebooks.plain(learner)}: {gradebooks.plain(told)}", file=sys.stderr)
    return 1 if batch.failures else 0


def write_reports(out: Path, lab: Lab, batch: Batch, store: ResultStore, language: str, *, leaderboard: bool) -> None:
    """Writes tables, feedback and the class report of a batch into a folder."""

    def graded() -> Iterator[tuple[str, dict | None]]:
        # Read again for each report: of 100,000 results only one is held at a time.
        for learner in sorted(batch.keys):
            yield learner, None if learner in batch.failures else store.read(batch.keys[learner])

    gradebooks.write_grades(out / "grades.csv", lab, graded(), language)
    gradebooks.write_moodle(out / "moodle.csv", lab, graded(), language)
    gradebooks.write_canvas(out / "canvas.csv", lab, graded(), language)
    if leaderboard:
        gradebooks.write_leaderboard(out / "leaderboard.csv", lab, graded())
    report = ClassReport(lab)
    for learner, result in graded():
        report.add(result)
        if result:
            write_feedback(out / "feedback", lab, learner, result, language)
    report.write(out / "class.html", language)


def _settings(args: argparse.Namespace) -> BoxSettings:
    def mebibytes(value: int | None) -> int | None:
        return None if value is None else value * MIB

    limits = limits_from(
        wall=args.wall, memory=mebibytes(args.memory), processes=args.processes, output_bytes=mebibytes(args.output)
    )
    if limits.wall <= 0 or limits.memory <= 0 or args.threads < 1:
        raise TlhelpersError("expected limits above zero. Correct --wall, --memory or --threads.")
    data = data_folder()
    weights = data / "weights" if data else None
    return BoxSettings(
        limits=limits, weights=str(weights.resolve()) if weights and weights.is_dir() else None,
        boxed=not args.trust_submissions, threads=min(args.threads, os.cpu_count() or 1), fork=not args.no_fork,
    )  # fmt: skip

"""`tlgrade`: notebooks of a class, each in a box, scored from what they leave behind."""

import argparse
import math
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
from tlgrade.reasons import LANGUAGES, explain_left_out
from tlgrade.settings import BoxSettings, Limits, limits_from
from tlgrade.store import ResultStore
from tlgrade.submissions import find_submissions
from tlhelpers.errors import TlhelpersError
from tlhelpers.paths import data_folder

MIB = 1 << 20
SHOWN = 10  # lines about single files and learners; tables have them all
LEAST_PROCESSES = 32
PUBLIC_LABELS = ("oxford_pets_breeds",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlgrade`."""
    limits = Limits()
    parser.add_argument("submissions", type=Path, help="a folder with LEARNER/ANY.ipynb or LEARNER.ipynb")
    parser.add_argument("--lab", default="pets", help="a lab's name, or its YAML file (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/grades"), help="where results go (%(default)s)")
    parser.add_argument("--dataset", help="data set of the hidden images; default: the lab's first")
    parser.add_argument("--image-size", type=int, metavar="PIXELS", help="side of the images; default: the lab's")
    parser.add_argument(
        "--roster", type=Path, metavar="CSV", help="who is who in Moodle and Canvas: see docs/grading.md"
    )
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="of reports (%(default)s)")
    parser.add_argument("--leaderboard", action="store_true", help="also write a leaderboard")
    parser.add_argument("--workers", type=int, help="notebooks at a time; default: one a core")
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
    """Grades, writes the reports, and says where they are; 1 where something could not be graded or was left out."""
    before = os.umask(0o077)  # results, feedback and labels are nobody else's
    try:
        return _run(args)
    finally:
        os.umask(before)


def _run(args: argparse.Namespace) -> int:
    _make_absolute(args)
    _refuse_results_among_submissions(args)
    submissions, left_out = find_submissions(args.submissions)
    settings = _settings(args)
    args.out.mkdir(parents=True, exist_ok=True)
    args.out.chmod(0o700)
    if args.trust_submissions:
        print("Without a box: every result is marked as such.", file=sys.stderr)
    else:
        self_test(settings)
    lab = prepare_lab(_definition(args), args.out / "lab", dataset=args.dataset, image_size=args.image_size)
    if lab.dataset in PUBLIC_LABELS:
        print(
            f"{lab.dataset}: for practice, not for grades. The labels of these photos are public, and a notebook can "
            "carry them along. Drawn pets are drawn anew from a secret key.",
            file=sys.stderr,
        )
    settings = BoxSettings.from_json({**settings.to_json(), "lab_data": str(Path(lab.data).resolve())})
    store = ResultStore(args.out / "results")
    batch = grade_batch(
        submissions, (args.out / "lab").resolve(), settings, store,
        scheduler=args.scheduler, workers=args.workers, progress=not args.no_progress,
    )  # fmt: skip
    roster = gradebooks.read_roster(args.roster) if args.roster else {}
    write_reports(args.out, lab, batch, store, args.language, leaderboard=args.leaderboard, roster=roster)
    gradebooks.write_left_out(args.out / "left_out.csv", left_out, args.language)
    found = len(batch.keys) - sum(learner in batch.keys for learner in batch.failures) - batch.graded
    print(f"{batch.graded} graded, {found} already there, {len(batch.failures)} could not be graded")
    print(f"{args.out / 'grades.csv'}\n{args.out / 'class.html'}\n{args.out / 'feedback'}")
    for learner, told in list(batch.failures.items())[:SHOWN]:
        print(f"{gradebooks.plain(learner)}: {gradebooks.plain(told)}", file=sys.stderr)
    strange = [entry for entry in left_out if entry.matters]
    for entry in strange[:SHOWN]:
        print(f"left out: {gradebooks.plain(entry.path)}: {explain_left_out(entry.reason, 'en')}", file=sys.stderr)
    if len(strange) > SHOWN:
        print(f"{len(strange)} files were left out; all are in {args.out / 'left_out.csv'}", file=sys.stderr)
    return 1 if batch.failures or strange else 0


def _make_absolute(args: argparse.Namespace) -> None:
    """Makes every path absolute: whatever grading starts does not start in the folder of submissions."""
    here = Path.cwd()
    for name in ("submissions", "out", "roster"):
        if getattr(args, name):
            setattr(args, name, here / getattr(args, name))
    if args.lab.endswith(".yaml"):
        args.lab = str(here / args.lab)


def _refuse_results_among_submissions(args: argparse.Namespace) -> None:
    """A learner's folder may have the name of the results: its lab, key and labels would be taken for the grader's."""
    if args.out.resolve().is_relative_to(args.submissions.resolve()):
        raise TlhelpersError(
            f"expected a folder for results outside of the submissions, came {args.out}. Name another with --out."
        )


def _definition(args: argparse.Namespace) -> Path:
    path = find_definition(args.lab)
    if path.resolve().is_relative_to(args.submissions.resolve()):
        raise TlhelpersError(f"expected a lab's definition of your own, came {path}, which lies among the submissions.")
    return path


def write_reports(
    out: Path, lab: Lab, batch: Batch, store: ResultStore, language: str, *, leaderboard: bool, roster: dict
) -> None:
    """Writes tables, feedback and the class report of a batch into a folder."""

    def graded() -> Iterator[tuple[str, dict | None]]:
        # Read again for each report: of 100,000 results only one is held at a time.
        for learner in sorted(batch.keys.keys() | batch.failures.keys()):
            yield learner, None if learner in batch.failures else store.read(batch.keys[learner])

    gradebooks.write_grades(out / "grades.csv", lab, graded(), language)
    gradebooks.write_moodle(out / "moodle.csv", lab, graded(), language, roster)
    gradebooks.write_canvas(out / "canvas.csv", lab, graded(), roster)
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
    if not (0 < limits.wall < math.inf and limits.memory > 0 and limits.output_bytes > 0 and args.threads > 0):
        raise TlhelpersError("expected limits above zero. Correct --wall, --memory, --output or --threads.")
    if limits.processes < LEAST_PROCESSES:
        raise TlhelpersError(f"expected --processes of at least {LEAST_PROCESSES}: a kernel alone has a dozen threads.")
    if args.workers is not None and args.workers < 1:
        raise TlhelpersError(f"expected --workers of at least 1, came {args.workers}.")
    data = data_folder()
    weights = data / "weights" if data else None
    return BoxSettings(
        limits=limits, weights=str(weights.resolve()) if weights and weights.is_dir() else None,
        boxed=not args.trust_submissions, threads=min(args.threads, os.cpu_count() or 1), fork=not args.no_fork,
        secret=(str(args.submissions.resolve()), str(args.out.resolve())),
    )  # fmt: skip

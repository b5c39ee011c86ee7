"""The command `tlcourse`."""

import sys
from pathlib import Path

DESCRIPTION = "Builds, runs and checks the lessons of the course on transfer learning in computer vision."
COMMANDS = {  # name: (module with add_arguments(parser) and run(args), what it does)
    "demo": ("tlcourse.demo", "run lesson 01 and print a table of the results"),
    "run": ("tlcourse.commands.run", "run a lesson or a notebook with parameters"),
    "build": ("tlcourse.commands.build", "make the notebooks from the lessons' sources"),
    "claims": ("tlcourse.commands.claims", "the claims of executed notebooks in one table, or of lessons over seeds"),
    "lab": ("tlcourse.commands.lab", "make the lab's notebooks from their source"),
    "site": ("tlcourse.commands.site", "make the course as static pages, for a web server or a stick"),
    "pretrain": ("tlcourse.commands.pretrain", "train the embedded backbone anew (PyTorch)"),
}


def main(argv: list[str] | None = None) -> int:
    """Runs one sub-command and returns its exit code."""
    import tlhelpers

    ours, found = Path(__file__).resolve().parents[1] / "tlhelpers", tlhelpers.__file__ or "nowhere"
    if ours.is_dir() and Path(found).resolve().parent != ours:
        print(f"tlcourse: tlhelpers comes from {found}, not from {ours}. Correct PYTHONPATH.", file=sys.stderr)
    try:
        from tlhelpers.cli import run_command
    except ImportError as error:  # as an older one may lack it
        print(f"tlcourse: {error}", file=sys.stderr)
        return 1
    return run_command("tlcourse", DESCRIPTION, COMMANDS, argv)

"""The command `tlcourse`."""

from tlhelpers.cli import run_command

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
    return run_command("tlcourse", DESCRIPTION, COMMANDS, argv)

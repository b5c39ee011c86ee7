"""A lesson's claims over seeds: each seed is one run of the notebook, which is kept and not made again."""

import contextlib
import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tlcourse import runner
from tlcourse.ledger import NOTHING, markdown_table
from tlcourse.notebook_files import code_cells, read_notebook, tags_of, text_of
from tlcourse.outputs import lesson_cells
from tlcourse.parameters import read_parameters
from tlcourse.records import collect
from tlcourse.sentences import SETUP_TAG, read_setup
from tlcourse.source_cells import SOLUTION_TAG
from tlcourse.variants import FRAMEWORK_NAMES
from tlhelpers.claims import Claim
from tlhelpers.paths import atomic_path

PAGE = "claims_over_seeds.md"
HEAD = """# The lessons' claims over seeds

Written by `tlcourse claims --seeds N LESSON`, which replaces the sections of the lessons that it ran. Each seed is a
run of the whole lesson with other images to train on and other first weights. *Spread* is the standard deviation over
the seeds, *margin* the distance from their mean to the bound, in spreads: below 2, another seed may well break the
claim."""


@dataclass
class SeedRuns:
    """One notebook run with several seeds."""

    notebook: Path
    digest: str  # of its code and parameters
    claims: dict[int, list[Claim]] = field(default_factory=dict)  # by seed, of runs that came to their end
    failures: dict[int, str] = field(default_factory=dict)  # by seed, what went wrong in the others

    @property
    def title(self) -> str:
        """Lesson and framework, as in `01_cats_vs_dogs, PyTorch`."""
        lesson, framework = self.notebook.stem.rsplit("_", 1)
        return f"{lesson}, {FRAMEWORK_NAMES.get(framework, framework)}"

    @property
    def broken(self) -> list[str]:
        """A line for each claim that a seed does not bear out."""
        return [
            f"  {self.title}, seed {seed}, {claim.name}: {claim.measured}, expected {claim.bound}"
            for seed, claims in self.claims.items()
            for claim in claims
            if not claim.passed
        ]


def run_seeds(notebook: Path, seeds: Iterable[int], folder: Path, values: dict, progress: bool = False) -> SeedRuns:
    """Runs a notebook with each seed whose run is not there yet; claims are shown and stop nothing.

    The outputs that a built notebook already has are the run of its default seed.

    Args:
        notebook: A built notebook with a parameter `SEED`.
        seeds: Which.
        folder: Where runs are kept, in a folder for each notebook and each state of its code and parameters. Sentences
            and bounds of claims that stand in a file beside the lesson are no part of that state: a kept run is held
            against those of now. Nor is code that the notebook imports: who changes it removes the folder.
        values: The other parameters.
        progress: Show a bar for each run.

    Raises:
        ParameterError: A parameter that the notebook does not have; nothing was run.
    """
    code = [cell for cell in lesson_cells(read_notebook(notebook)) if SETUP_TAG not in tags_of(cell)]
    state = json.dumps([[text_of(cell) for cell in code], values], sort_keys=True)
    runs = SeedRuns(notebook, hashlib.sha256(state.encode()).hexdigest()[:12])
    kept = folder / notebook.stem / runs.digest
    for seed in seeds:
        done, attempt = kept / f"seed_{seed}.ipynb", kept / f"unfinished_seed_{seed}.ipynb"
        print(f"{runs.title}, seed {seed}: ", end="", flush=True)
        if done.exists():
            took = "kept"
        elif _was_run_with(notebook, values | {"SEED": seed}):
            done, took = notebook, "the notebook's own outputs"
        else:
            try:
                with _claims_shown():
                    result = runner.run(notebook, attempt, values | {"SEED": seed}, progress=progress)
            except runner.NotebookFailedError as error:
                runs.failures[seed] = str(error)
                print("did not come to its end", flush=True)
                continue
            os.replace(attempt, done)
            took = f"{result.seconds:.0f} s"
        found = runs.claims[seed] = _claims_now(done, notebook)
        print(f"{sum(claim.passed for claim in found)} of {len(found)} claims hold ({took})", flush=True)
    return runs


def seeds_table(runs: SeedRuns) -> str:
    """Each claim with its values in the order of the seeds, as Markdown."""
    rows: dict[tuple[str, int], dict[int, Claim]] = {}
    for seed, claims in runs.claims.items():
        seen: Counter[str] = Counter()  # a name that comes twice is two claims
        for claim in claims:
            seen[claim.name] += 1
            rows.setdefault((claim.name, seen[claim.name]), {})[seed] = claim
    heads = ["Claim", "Measured", "Spread", "Bound", "Margin", "Holds"]
    return markdown_table(heads, [_row(found, list(runs.claims)) for found in rows.values()])


def write_section(page: Path, runs: SeedRuns) -> None:
    """Puts the table of these runs into the page, in the place of the one it has, and leaves all other sections."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    sections = dict(section.split("\n", 1) for section in text.split("\n## ")[1:])
    seeds = ", ".join(map(str, runs.claims))
    about = f"Seeds {seeds}; parameters of the sample; state of code and parameters `{runs.digest}`."
    sections[runs.title] = f"\n{about}\n\n{seeds_table(runs)}"
    parts = [HEAD, *(f"## {title}\n{sections[title].rstrip()}" for title in sorted(sections))]
    with atomic_path(page) as temporary:
        temporary.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _was_run_with(notebook: Path, values: dict) -> bool:
    """Whether the notebook's own outputs, all of them there, come from these parameters."""
    defaults = read_parameters(notebook)
    cells = [cell for cell in lesson_cells(read_notebook(notebook)) if SOLUTION_TAG not in tags_of(cell)]
    return all(defaults[name].value == values[name] for name in values) and all(
        cell["execution_count"] is not None for cell in cells
    )


def _claims_now(executed: Path, notebook: Path) -> list[Claim]:
    """The claims of a run, with the sentences and bounds that the notebook gives them now."""
    setups = [text_of(cell) for cell in code_cells(read_notebook(notebook)) if SETUP_TAG in tags_of(cell)]
    said = read_setup(setups[0])[1] if setups else {}
    return [
        replace(claim, **{"at_least": None, "at_most": None} | said[claim.name]) if claim.name in said else claim
        for claim in collect([executed], asserted=False)
    ]


def _row(found: dict[int, Claim], seeds: list[int]) -> list[str]:
    claim = next(iter(found.values()))
    numbers = np.array([found[seed].value if seed in found else math.nan for seed in seeds])
    spread = numbers.std(ddof=1) if len(numbers) > 1 else math.nan
    rooms = [numbers.mean() - (-math.inf if claim.at_least is None else claim.at_least)]
    rooms.append((math.inf if claim.at_most is None else claim.at_most) - numbers.mean())
    held = f"{sum(one.passed for one in found.values())} of {len(seeds)}"
    return [
        claim.en,
        f"{', '.join(f'{number:.4g}' for number in numbers)} {claim.unit}".rstrip(),
        f"{spread:.2g}" if math.isfinite(spread) else NOTHING,
        claim.bound,
        f"{min(rooms) / spread:.1f}" if spread > 0 else NOTHING,
        held if all(seed in found and found[seed].passed for seed in seeds) else f"**{held}**",
    ]


@contextlib.contextmanager
def _claims_shown() -> Iterator[None]:
    """Kernels that start in here show claims and assert none."""
    before = os.environ.get("TLHELPERS_CLAIMS")
    os.environ["TLHELPERS_CLAIMS"] = "show"
    try:
        yield
    finally:
        del os.environ["TLHELPERS_CLAIMS"]
        if before is not None:
            os.environ["TLHELPERS_CLAIMS"] = before

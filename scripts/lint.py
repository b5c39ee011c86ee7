"""Checks what can be checked without running a lesson: style, what is built against its sources, workflows."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / ".github/workflows").glob("*.yml"))
FORMS = [f".github/ISSUE_TEMPLATE/{name}.yml" for name in ("bug", "lesson", "translation")]
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("tlcourse", "build", "--check-outputs"),
    ("tlcourse", "lab", "build", "--check"),
    ("scripts/claims_page.py", "--check"),
    ("check_jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS),
    ("check_jsonschema", "--builtin-schema", "vendor.github-issue-forms", *FORMS),
    ("check_jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"),
    ("check_jsonschema", "--builtin-schema", "vendor.citation-file-format", "CITATION.cff"),
)


def main() -> int:
    """Runs all checks; 0 where all passed."""
    failed = 0
    for module, *arguments in CHECKS:
        print("==", module, *arguments, flush=True)
        start = [module] if module.endswith(".py") else ["-m", module]
        failed |= subprocess.run([sys.executable, *start, *arguments], cwd=ROOT).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

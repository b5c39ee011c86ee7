"""`make bench`: measures what the course promises and holds it against the bounds; about a quarter of an hour.

Each part runs in a process of its own, since PyTorch and TensorFlow never meet in one. Writes results/bench.json and
results/bench.md; exits with 1 where a bound is not met. Timings are ratios within one run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tlhelpers.ledger import markdown_table

ROOT = Path(__file__).resolve().parents[1]

# figure: (what it says, sign, bound, unit)
BOUNDS = {
    "extract_features_rate": ("extract_features against the fastest bare forward pass", ">=", 0.85, "×"),
    "cached_head": ("ten epochs of a head: features once against the backbone in each epoch", ">=", 6.0, "×"),
    "cached_head_accuracy_difference": ("difference of the two heads in accuracy", "<=", 1.0, "points"),
    "drawn_pets_probe": ("drawn pets, 10 labels a class, probe on mini_resnet", ">=", 90.0, "%"),
    "drawn_pets_gain": ("the same, above the network from scratch", ">=", 25.0, "points"),
    "photos_mini_resnet": ("real photos at 64 px, frozen mini_resnet", ">=", 82.0, "%"),
    "photos_mobilenet": ("real photos, frozen MobileNet", ">=", 97.0, "%"),
    "cold_ratio": ("image preparation against the naive pass", ">=", 3.0, "×"),
    "cached_ratio": ("the same from the cache", ">=", 50.0, "×"),
    "import_seconds": ("import tlhelpers", "<=", 0.15, "s"),
}
PARTS = (
    ("import", ["benchmarks/import_time.py"]),
    ("images", ["benchmarks/image_preparation.py"]),
    ("pytorch", ["benchmarks/backbones.py", "pytorch"]),
    ("tensorflow", ["benchmarks/backbones.py", "tensorflow"]),
    ("pytorch", ["benchmarks/accuracy.py", "pytorch"]),
    ("tensorflow", ["benchmarks/accuracy.py", "tensorflow"]),
)


def main() -> int:
    """Runs every part; 0 where every figure is within its bound."""
    rows, record, failed = [], [], 0
    for part, command in PARTS:
        if part == "images" and not os.environ.get("TLHELPERS_DATA"):
            print("image preparation is measured on real photos: set TLHELPERS_DATA", file=sys.stderr)
            continue
        print(f"{' '.join(command)} ...", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{' '.join(command)} ended with {done.returncode}", file=sys.stderr)
            failed += 1
            continue
        for name, value in json.loads(done.stdout.splitlines()[-1]).items():
            if name not in BOUNDS:
                continue
            text, sign, bound, unit = BOUNDS[name]
            met = value >= bound if sign == ">=" else value <= bound
            failed += not met
            mark = {">=": "≥", "<=": "≤"}[sign]
            rows.append([part, text, f"{value:.3g} {unit}", f"{mark} {bound:g} {unit}", "yes" if met else "NO"])
            record.append({"part": part, "figure": name, "value": value, "bound": f"{sign} {bound}", "met": bool(met)})
    table = markdown_table(["part", "figure", "measured", "bound", "met"], rows)
    (ROOT / "results").mkdir(exist_ok=True)
    (ROOT / "results" / "bench.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (ROOT / "results" / "bench.md").write_text(table + "\n", encoding="utf-8")
    print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

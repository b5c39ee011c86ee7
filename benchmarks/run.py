"""`make bench`: measures what the course promises and holds it against the bounds; about a quarter of an hour.

Each part runs in a process of its own, since PyTorch and TensorFlow never meet in one. Writes results/bench.json and
results/bench.md; exits with 1 where a bound is not met. Timings are ratios within one run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tlcourse.ledger import bench_table

ROOT = Path(__file__).resolve().parents[1]

# figure: (what it says in English, in Spanish, sign, bound, unit)
BOUNDS = {
    "import_seconds": ("`import tlhelpers`", "`import tlhelpers`", "≤", 0.15, "s"),
    "cold_ratio": (
        "photos: audit, decode, resize, cache, against the naive pass",
        "fotos: auditar, decodificar, escalar y guardar, frente a la pasada ingenua",
        "≥", 3.0, "×",
    ),
    "cached_ratio": ("the same photos from the cache", "las mismas fotos desde la caché", "≥", 50.0, "×"),
    "training_step": (
        "a training step of the course against the bare loop of the framework's documentation",
        "un paso de entrenamiento del curso, frente al bucle de la documentación del framework",
        "≥", 0.95, "×",
    ),
    "photos_mini_resnet": (
        "Cats vs Dogs, frozen mini_resnet at 64 px, test accuracy, mean of 20 splits",
        "Cats vs Dogs, mini_resnet congelada a 64 px, exactitud en la prueba, media de 20 divisiones",
        "≥", 82.0, "%",
    ),
    "photos_efficientnet_lite0": (
        "the same with frozen efficientnet_lite0 at 224 px",
        "lo mismo con efficientnet_lite0 congelada a 224 px",
        "≥", 99.0, "%",
    ),
    "photos_efficientnet_lite0_ten_labels": (
        "the same with ten labels a class, mean of 60 draws",
        "lo mismo con diez etiquetas por clase, media de 60 sorteos",
        "≥", 95.0, "%",
    ),
}  # fmt: skip
PARTS = (
    ("import", ["benchmarks/import_time.py"]),
    ("images", ["benchmarks/image_preparation.py"]),
    ("pytorch", ["benchmarks/training_step.py", "pytorch"]),
    ("tensorflow", ["benchmarks/training_step.py", "tensorflow"]),
    ("pytorch", ["-m", "benchmarks.real_photos", "pytorch"]),
    ("tensorflow", ["-m", "benchmarks.real_photos", "tensorflow"]),
)
PHOTOS = {"benchmarks/image_preparation.py", "benchmarks.real_photos"}  # what needs them


def main() -> int:
    """Runs every part; 0 where every figure is within its bound."""
    record, failed = [], 0
    for part, command in PARTS:
        if PHOTOS.intersection(command) and not os.environ.get("TLHELPERS_DATA"):
            print(f"{' '.join(command)} measures on real photos: set TLHELPERS_DATA", file=sys.stderr)
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
            en, es, sign, bound, unit = BOUNDS[name]
            met = bool(value >= bound if sign == "≥" else value <= bound)
            failed += not met
            record.append({"part": part, "figure": name, "en": en, "es": es, "value": value, "sign": sign,
                           "bound": bound, "unit": unit, "met": met})  # fmt: skip
    table = bench_table(record)
    (ROOT / "results").mkdir(exist_ok=True)
    (ROOT / "results" / "bench.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (ROOT / "results" / "bench.md").write_text(table + "\n", encoding="utf-8")
    print(table)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

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
    "extract_features_rate": (
        "`extract_features` against the fastest bare forward pass",
        "`extract_features` frente a la pasada directa más rápida",
        "≥", 0.85, "×",
    ),
    "training_step": (
        "a training step of the course against the bare loop of the framework's documentation",
        "un paso de entrenamiento del curso, frente al bucle de la documentación del framework",
        "≥", 0.95, "×",
    ),
    "cached_head": (
        "ten epochs of a head: features once against the backbone in each epoch",
        "diez épocas de una cabeza: características una vez, frente a la red base en cada época",
        "≥", 6.0, "×",
    ),
    "cached_head_accuracy_difference": (
        "difference in accuracy of these two heads",
        "diferencia de exactitud entre esas dos cabezas",
        "≤", 1.0, "points",
    ),
    "drawn_pets_probe": (
        "drawn pets, 10 labels a class, probe on frozen mini_resnet",
        "mascotas dibujadas, 10 etiquetas por clase, sonda sobre mini_resnet congelada",
        "≥", 90.0, "%",
    ),
    "drawn_pets_gain": (
        "the same above the network from scratch", "lo mismo, por encima de la red desde cero", "≥", 25.0, "points",
    ),
    "photos_mini_resnet": (
        "Cats vs Dogs, frozen mini_resnet at 64 px, test accuracy, mean of three splits",
        "Cats vs Dogs, mini_resnet congelada a 64 px, exactitud en la prueba, media de tres divisiones",
        "≥", 82.0, "%",
    ),
    "photos_efficientnet_lite0": (
        "the same with frozen efficientnet_lite0 at 224 px",
        "lo mismo con efficientnet_lite0 congelada a 224 px",
        "≥", 99.0, "%",
    ),
    "photos_efficientnet_lite0_ten_labels": (
        "the same with ten labels a class, mean of 30 draws",
        "lo mismo con diez etiquetas por clase, media de 30 sorteos",
        "≥", 95.0, "%",
    ),
    "attack_targeted_8": (
        "targeted attack on mini_resnet, 100 photos, 8/255, 40 steps: success",
        "ataque dirigido a mini_resnet, 100 fotos, 8/255, 40 pasos: éxito",
        "≥", 97.0, "%",
    ),
    "attack_targeted_4": ("the same at 4/255", "lo mismo con 4/255", "≥", 70.0, "%"),
    "attack_untargeted_4": (
        "untargeted, 4/255, 20 steps: success", "no dirigido, 4/255, 20 pasos: éxito", "≥", 97.0, "%",
    ),
    "attack_untargeted_2": ("the same at 2/255", "lo mismo con 2/255", "≥", 90.0, "%"),
    "attack_rate": (
        "gradient steps of `attack` against the bare forward and backward pass",
        "pasos de gradiente de `attack`, frente a la pasada directa e inversa sin más",
        "≥", 0.9, "×",
    ),
    "attack_below_peers": (
        "success below torchattacks' or foolbox's PGD, at most",
        "éxito por debajo del PGD de torchattacks o de foolbox, como mucho",
        "≤", 1.0, "points",
    ),
    "attack_speed_peers": (
        "speed of `attack` against the faster of the two", "velocidad de `attack` frente al más rápido de los dos",
        "≥", 1.0, "×",
    ),
}  # fmt: skip
PARTS = (
    ("import", ["benchmarks/import_time.py"]),
    ("images", ["benchmarks/image_preparation.py"]),
    ("pytorch", ["benchmarks/backbones.py", "pytorch"]),
    ("tensorflow", ["benchmarks/backbones.py", "tensorflow"]),
    ("pytorch", ["benchmarks/training_step.py", "pytorch"]),
    ("tensorflow", ["benchmarks/training_step.py", "tensorflow"]),
    ("pytorch", ["benchmarks/accuracy.py", "pytorch"]),
    ("tensorflow", ["benchmarks/accuracy.py", "tensorflow"]),
    ("pytorch", ["-m", "benchmarks.real_photos", "pytorch"]),
    ("tensorflow", ["-m", "benchmarks.real_photos", "tensorflow"]),
    ("pytorch", ["-m", "benchmarks.attacks", "pytorch"]),
    ("tensorflow", ["-m", "benchmarks.attacks", "tensorflow"]),
)
PHOTOS = {"benchmarks/image_preparation.py", "benchmarks.real_photos", "benchmarks.attacks"}  # what needs them


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

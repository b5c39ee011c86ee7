"""`tlhelpers doctor`: what is installed, what each framework sees, where data are, what is missing, how to mend it."""

import argparse
import importlib.util
import json
import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tlhelpers import __version__
from tlhelpers import doctor_probes as probes
from tlhelpers.errors import TlhelpersError, said
from tlhelpers.paths import DATA_VARIABLE, cache_path, named_folder, shadow_warning

FRAMEWORKS = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}
PYTHONS = ((3, 10), (3, 14))
LITTLE_SPACE = 10**9  # bytes; a photo data set takes about this much once it is decoded
PINS = Path(__file__).resolve().parents[1] / "requirements.txt"  # where the course's folder is at hand
WEIGHTS = Path(__file__).resolve().parent / "weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `tlhelpers doctor`."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Prints the findings; 0 where the default lesson can run, else 1."""
    report = examine()
    print(json.dumps(report, indent=1) if args.json else as_text(report))
    return 0 if report["lesson_can_run"] else 1


def examine() -> dict:
    """Everything that was found, ready for JSON; `problems` has what is wrong, each with its mend."""
    with ThreadPoolExecutor(len(FRAMEWORKS)) as pool:
        frameworks = dict(zip(FRAMEWORKS, pool.map(probes.ask_framework, FRAMEWORKS), strict=True))
    data, cache = named_folder(DATA_VARIABLE), _cache_path()
    places = [*([data] if data else []), cache / "downloads"]
    report = {
        "tlhelpers": __version__,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "packages": probes.list_packages(),
        "shadowed": shadow_warning(),
        "frameworks": frameworks,
        "nvidia_gpus": probes.list_nvidia_gpus(),
        "kernel": probes.find_kernel(),
        "data_folder": probes.look_at_folder(data, size=False) if data else None,
        "cache_folder": probes.look_at_folder(cache, size=True),
        "embedded_weights": [file.name for file in sorted(WEIGHTS.glob("*.safetensors"))],
        "data": probes.find_data(places),
        "weights": probes.find_weights(places),
    }
    report["problems"] = list_problems(report)
    report["lesson_can_run"] = not any(problem["stops"] for problem in report["problems"])
    return report


def list_problems(report: dict) -> list[dict]:
    """What is wrong in a report: `what`, `mend` (a command or an advice), and whether it `stops` the default lesson."""
    found = [*_python_problems(report), *_framework_problems(report), *_folder_problems(report)]
    return [dict(zip(("what", "mend", "stops"), problem, strict=True)) for problem in found]


def as_text(report: dict) -> str:
    """The report for a reader."""
    python, none = report["python"], said("none; the default lesson needs none", "ninguno; la lección no los necesita")
    lines = [f"tlhelpers {report['tlhelpers']}, Python {python['version']} ({python['executable']})"]
    lines += ["", said("Installed", "Instalado")]
    for extra, packages in report["packages"].items():
        there = [f"{name} {version}" for name, version in packages.items() if version]
        lacking = [name for name, version in packages.items() if not version]
        lacks = f"  {said('missing', 'faltan')}: {', '.join(lacking)}" if lacking else ""
        lines.append(f"  {extra:<11}{', '.join(there)}{lacks}")
    lines += ["", said("Accelerators", "Aceleradores")]
    processor = said("no accelerator, takes the processor ({} cores)", "sin acelerador, usa el procesador ({} núcleos)")
    for name, answer in report["frameworks"].items():
        seen = f"{answer.get('version')}: {answer['accelerator'] or processor.format(os.cpu_count())}"
        says = (answer["problem"] or seen) if answer["installed"] else said("not installed", "no está instalado")
        lines.append(f"  {FRAMEWORKS[name]:<11}{says}")
    lines += [f"  {'driver':<11}{gpu}" for gpu in report["nvidia_gpus"]]
    kernel, data, cache = said("kernel data cache", "kernel datos caché").split()
    lines += ["", "Jupyter", f"  {kernel:<11}{report['kernel']['problem'] or report['kernel']['python']}"]
    unset = said("TLHELPERS_DATA is not set", "TLHELPERS_DATA no está puesta")
    lines += ["", said("Folders", "Carpetas"), f"  {data:<11}{_folder_line(report['data_folder'], unset)}"]
    lines += [f"  {cache:<11}{_folder_line(report['cache_folder'], '')}", "", said("Data and weights", "Datos y pesos")]
    lines.append(f"  drawn_pets: {said('drawn when asked for, always there', 'se dibujan al pedirlos; siempre están')}")
    embedded = ", ".join(report["embedded_weights"]) or said("missing", "faltan")
    lines.append(f"  {said('embedded weights', 'pesos incluidos')}: {embedded}")
    lines.append(f"  {said('more weights', 'más pesos')}: {', '.join(report['weights']) or none}")
    absent = said("not here; the default lesson needs no photos, and this brings them",
                  "no está; la lección no necesita fotos, y esto las trae")  # fmt: skip
    lines += [f"  {name}: {place or f'{absent}: tlhelpers fetch {name}'}" for name, place in report["data"].items()]
    lines += ["", said("Problems", "Problemas") if report["problems"] else said("No problems.", "Sin problemas.")]
    for problem in report["problems"]:
        mark = said("the lesson runs all the same", "la lección funciona igual")
        if problem["stops"]:
            mark = said("stops the lesson", "impide la lección")
        lines += [f"  - {problem['what']} ({mark})", f"      {problem['mend']}"]
    can = said("The default lesson can run.", "La lección puede ejecutarse.")
    cannot = said("The default lesson cannot run.", "La lección no puede ejecutarse.")
    return "\n".join([*lines, can if report["lesson_can_run"] else cannot])


def _python_problems(report: dict):
    version, packages = report["python"]["version"], report["packages"]
    if not PYTHONS[0] <= tuple(int(part) for part in version.split(".")[:2]) <= PYTHONS[1]:
        anew = "make PYTHON=/path/to/python3.12 .venv"
        mend = said(
            f"Make the environment anew with another Python: {anew}", f"Rehaga el entorno con otro Python: {anew}"
        )
        yield f"Python {version}: {said('expected 3.10 to 3.14', 'se esperaba de 3.10 a 3.14')}", mend, True
    if not packages:
        what = said("tlhelpers was not installed, only found", "tlhelpers no se ha instalado, solo se ha encontrado")
        yield what, _install("lab"), True
    if report["shadowed"]:
        mend = said("Take the other folder out of PYTHONPATH", "Quite la otra carpeta de PYTHONPATH")
        yield report["shadowed"], f"{mend}: {os.environ.get('PYTHONPATH', '')}", False
    for extra in ("base", "lab"):
        lacking = [name for name, there in packages.get(extra, {}).items() if not there]
        if lacking:
            yield f"{said('missing packages', 'faltan paquetes')}: {', '.join(lacking)}", _install("lab"), True
    if report["kernel"]["problem"]:
        # Without the package there is nothing to register; with it, only the registration is wrong.
        register = f'"{sys.executable}" -m ipykernel install --sys-prefix --name python3'
        mend = register if packages.get("lab", {}).get("ipykernel") else _install("lab")
        yield report["kernel"]["problem"], mend, True


def _framework_problems(report: dict):
    works = [name for name, found in report["frameworks"].items() if found["installed"] and not found["problem"]]
    gpus = report["nvidia_gpus"]
    for name, found in report["frameworks"].items():
        title = FRAMEWORKS[name]
        if not found["installed"]:
            if not works:
                lacks = "is not installed; one of the two frameworks is needed", "no está; hace falta una de las dos"
                yield f"{title} {said(*lacks)}", _install(name), True
            continue
        if found["problem"]:
            # The right versions are enough where two do not fit together; a damaged one must be laid anew.
            anew = "torchvision" not in found["problem"]
            yield f"{title}: {found['problem']}", _install(name, anew), not works
        elif gpus and not found["accelerator"]:
            what = f"{title} {said('does not see the GPU', 'no ve la GPU')} ({gpus[0]})"
            mend = _pip('"tensorflow[and-cuda]"') if name == "tensorflow" else _install(name, anew=True)
            yield what, mend, False


def _folder_problems(report: dict):
    data, cache = report["data_folder"], report["cache_folder"]
    if data and not data["exists"]:
        what = said(
            "TLHELPERS_DATA names a folder that is not there", "TLHELPERS_DATA nombra una carpeta que no existe"
        )
        mend = said(
            "Plug in or unpack the classroom pack, name its folder in TLHELPERS_DATA, or unset TLHELPERS_DATA",
            "Conecte o descomprima el paquete del aula, nombre su carpeta en TLHELPERS_DATA o quite esa variable",
        )
        yield f"{what}: {data['path']}", mend, False
    if not cache["writable"]:
        what = said("the cache cannot be written", "no se puede escribir en la caché")
        mend = said("Name a folder that you may write to", "Nombre una carpeta en la que pueda escribir")
        yield f"{what}: {cache['path']}", f"{mend}: TLHELPERS_CACHE", True
    if cache["free_bytes"] < LITTLE_SPACE:
        what = said("little space for the cache: free", "poco espacio para la caché: libre")
        mend = said(
            f"Free some space, or name a folder on another disk in TLHELPERS_CACHE; cached now: {cache['path']}",
            f"Libere espacio o nombre en TLHELPERS_CACHE una carpeta de otro disco; la caché está en {cache['path']}",
        )
        yield f"{what} {_size(cache['free_bytes'])}", mend, False
    if not report["embedded_weights"]:
        what = said("the embedded backbone's weights are missing from", "faltan los pesos de la red incluida en")
        yield f"{what} {WEIGHTS}", "git checkout -- tlhelpers/weights", True


def _cache_path() -> Path:
    """Where the cache is or would be."""
    try:
        return cache_path()
    except ImportError:  # platformdirs is reported as a missing package
        return Path.home() / ".cache" / "tlhelpers"
    except TlhelpersError:  # an account without a home: reported as a folder that cannot be written
        return Path("/nonexistent").absolute()


def _install(extra: str, anew: bool = False) -> str:
    """What installs an extra: the clone's command, with its tested versions; elsewhere the packages by their names.

    `tlhelpers` itself is never asked of an index, which may not have it.
    """
    option = "--force-reinstall " * anew
    if PINS.exists():
        return _pip(f'{option}-e "{PINS.parent}[{extra}]"')
    names = [f'"{name}"' for part in ("base", extra) for name in probes.list_requirements().get(part, ())]
    if names:
        return _pip(option + " ".join(names))
    where = said("Install it from the course's folder", "Instálelo desde la carpeta del curso")
    return f"{where}: python scripts/setup.py"


def _pip(what: str) -> str:
    """A command that installs something here, in its tested version where that is at hand; uv's where pip is not."""
    pip = f'"{sys.executable}" -m pip install'
    if importlib.util.find_spec("pip") is None:
        pip = f'uv pip install --python "{sys.executable}"'
    return f'{pip} -c "{PINS}" {what}' if PINS.exists() else f"{pip} {what}"


def _folder_line(folder: dict | None, otherwise: str) -> str:
    if folder is None:
        return otherwise
    state = "" if folder["exists"] else said(", not there yet", ", todavía no existe")
    state += "" if folder["writable"] else said(", read-only", ", solo de lectura")
    if folder["bytes"] is not None:
        state += said(", {} in it", ", contiene {}").format(_size(folder["bytes"]))
    return f"{folder['path']}{state}, {said('free', 'libres')}: {_size(folder['free_bytes'])}"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"

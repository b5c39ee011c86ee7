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
from tlhelpers.numbers import percent
from tlhelpers.paths import DATA_VARIABLE, cache_path, named_folder, shadow_warning, shadowed_package

FRAMEWORKS = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}
PYTHONS = ((3, 10), (3, 14))
LITTLE_SPACE = 10**9  # bytes; a photo data set takes about this much once it is decoded
COMPILED = 0.5  # fraction; after some use without compilation about a quarter is there
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
    # Before the frameworks are imported, since an import leaves bytecode behind.
    compiled = {name: probes.compiled_fraction(module) for name, module in probes.MODULES.items()}
    with ThreadPoolExecutor(len(FRAMEWORKS)) as pool:
        frameworks = dict(zip(FRAMEWORKS, pool.map(probes.ask_framework, FRAMEWORKS), strict=True))
    data, cache = named_folder(DATA_VARIABLE), _cache_path()
    places = [*([data] if data else []), cache / "downloads"]
    report = {
        "tlhelpers": __version__,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "packages": probes.list_packages(),
        "shadowed": str(shadowed_package() or ""),
        "frameworks": frameworks,
        "compiled": compiled,
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
    python = report["python"]
    lines = [f"tlhelpers {report['tlhelpers']}, Python {python['version']} ({python['executable']})", "", "Installed"]
    for extra, packages in report["packages"].items():
        there = [f"{name} {version}" for name, version in packages.items() if version]
        lacking = [name for name, version in packages.items() if not version]
        lines.append(f"  {extra:<11}{', '.join(there)}" + (f"  missing: {', '.join(lacking)}" if lacking else ""))
    lines += ["", "Accelerators"]
    for name, answer in report["frameworks"].items():
        seen = answer["accelerator"] or f"no accelerator, takes the processor ({os.cpu_count()} cores)"
        said = answer["problem"] or f"{answer.get('version')}: {seen}"
        lines.append(f"  {FRAMEWORKS[name]:<11}{said if answer['installed'] else 'not installed'}")
    lines += [f"  {'driver':<11}{gpu}" for gpu in report["nvidia_gpus"]]
    lines += ["", "Jupyter", f"  {'kernel':<11}{report['kernel']['problem'] or report['kernel']['python']}"]
    lines += ["", "Folders", f"  {'data':<11}{_folder_line(report['data_folder'], 'TLHELPERS_DATA is not set')}"]
    lines += [f"  {'cache':<11}{_folder_line(report['cache_folder'], '')}", "", "Data and weights"]
    lines.append("  drawn_pets: drawn when asked for, always there")
    lines.append(f"  embedded weights: {', '.join(report['embedded_weights']) or 'missing'}")
    lines.append(f"  more weights: {', '.join(report['weights']) or 'none; the default lesson needs none'}")
    absent = "not here; the default lesson needs no photos, and this brings them: tlhelpers fetch"
    lines += [f"  {name}: {place or f'{absent} {name}'}" for name, place in report["data"].items()]
    lines += ["", "Problems" if report["problems"] else "No problems."]
    for problem in report["problems"]:
        mark = "stops the lesson" if problem["stops"] else "the lesson runs all the same"
        lines += [f"  - {problem['what']} ({mark})", f"      {problem['mend']}"]
    lines.append("The default lesson can run." if report["lesson_can_run"] else "The default lesson cannot run.")
    return "\n".join(lines)


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
        yield shadow_warning(Path(report["shadowed"])), f"{mend}: {os.environ.get('PYTHONPATH', '')}", False
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
        title, fraction = FRAMEWORKS[name], report["compiled"][name]
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
        if fraction is not None and fraction < COMPILED:
            mend = f'"{sys.executable}" -m compileall -q -j 0 "{_site_packages(name)}"'
            what = said("starts slowly: compiled bytecode", "arranca despacio: bytecode compilado")
            yield f"{title} {what} {percent(fraction, 0)}", mend, False


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
        yield f"the embedded backbone's weights are missing from {WEIGHTS}", "git checkout -- tlhelpers/weights", True


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
    return (
        _pip(option + " ".join(names))
        if names
        else said(
            "Install it from the course's folder: python scripts/setup.py",
            "Instálelo desde la carpeta del curso: python scripts/setup.py",
        )
    )


def _pip(what: str) -> str:
    """A command that installs something here, in its tested version where that is at hand; uv's where pip is not."""
    pip = f'"{sys.executable}" -m pip install'
    if importlib.util.find_spec("pip") is None:
        pip = f'uv pip install --python "{sys.executable}"'
    return f'{pip} -c "{PINS}" {what}' if PINS.exists() else f"{pip} {what}"


def _site_packages(framework: str) -> Path:
    return Path(importlib.util.find_spec(probes.MODULES[framework]).origin).parents[1]


def _folder_line(folder: dict | None, otherwise: str) -> str:
    if folder is None:
        return otherwise
    size = "" if folder["bytes"] is None else f", {_size(folder['bytes'])} in it"
    state = ("" if folder["exists"] else ", not there yet") + ("" if folder["writable"] else ", read-only")
    return f"{folder['path']}{state}{size}, {_size(folder['free_bytes'])} free"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"

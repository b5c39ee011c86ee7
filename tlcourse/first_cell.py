"""A notebook's first cell: where `tlhelpers` is missing, it installs it (Colab, Kaggle) or says what to install.

The frameworks that such a machine has already stay as they are: `tlhelpers` is installed without the extra of one.
"""

import tlhelpers

INSTALL_TAG = "install"  # of this cell: it is kept without outputs, and what it does is no part of the lesson
# A folder named tlhelpers that is no package has a spec too, but no origin.
CODE = """# {comment}
import importlib.util
import os

HOSTED = {{"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}} & set(os.environ)
spec = importlib.util.find_spec("tlhelpers")
if HOSTED and (spec is None or spec.origin is None):
    %pip install --quiet "tlhelpers=={version}"
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("tlhelpers")
if spec is None or spec.origin is None:
    raise ModuleNotFoundError(
        {missing}
    )
import tlhelpers

if tlhelpers.__version__ != "{version}":
    print({other}, tlhelpers.__version__, tlhelpers.__file__)"""
WORDS = {
    "en": {
        "comment": "You need not read this cell: it looks whether what the notebook needs is installed.",
        "missing": (
            "This notebook needs the package tlhelpers, and the Python that runs it does not have it. ",
            'With a network: pip install "tlhelpers[{framework},lab]=={version}", then restart the kernel. ',
            "Or open the notebook with the course's environment, .venv, which scripts/setup.py makes.",
        ),
        "other": "This notebook was built for tlhelpers {version}; found",
    },
    "es": {
        "comment": "No hace falta leer esta celda: mira si está instalado lo que necesita el cuaderno.",
        "missing": (
            "Este cuaderno necesita el paquete tlhelpers, y el Python que lo ejecuta no lo tiene. ",
            'Con red: pip install "tlhelpers[{framework},lab]=={version}", y después reinicie el kernel. ',
            "O abra el cuaderno con el entorno del curso, .venv, que crea scripts/setup.py.",
        ),
        "other": "Este cuaderno se hizo para tlhelpers {version}; está instalado",
    },
}


def first_cell(language: str, framework: str) -> str:
    """The cell's code.

    Args:
        language: `en` or `es`.
        framework: `pytorch` or `tensorflow`.
    """
    words, version = WORDS[language], tlhelpers.__version__
    missing = [repr(line.format(framework=framework, version=version)) for line in words["missing"]]
    return CODE.format(
        comment=words["comment"],
        version=version,
        missing="\n        ".join(missing),
        other=repr(words["other"].format(version=version)),
    )

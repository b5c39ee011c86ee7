"""Why points were lost, in English and in Spanish. Results keep codes and values; texts are made for a reader."""

from tlhelpers.errors import UnknownNameError
from tlhelpers.numbers import percent

LANGUAGES = ("en", "es")
REASONS = {  # code: (English, Spanish), filled with the values that came with the code
    "full": ("all points", "todos los puntos"),
    "below": (
        "reached {reached}; the next points start at {bound}",
        "se alcanzó {reached}; los siguientes puntos empiezan en {bound}",
    ),
    "predictions": ("the file {file} cannot be scored: {en}", "el archivo {file} no se puede puntuar: {es}"),
    "missing_file": (
        "the notebook left no file {file}; hand it in with lab.submit, and let that cell run",
        "el cuaderno no dejó ningún archivo {file}; entréguelo con lab.submit y deje que esa celda se ejecute",
    ),
    "not_regular": (
        "{file} should be an ordinary file and is a {kind}",
        "{file} debería ser un archivo normal y es otra cosa ({kind})",
    ),
    "too_large": (
        "{file} has {bytes} bytes; at most {most} are taken",
        "{file} tiene {bytes} bytes; se aceptan {most} como máximo",
    ),
    "unreadable": ("{file} could not be read: {detail}", "no se pudo leer {file}: {detail}"),
    "not_text": ("{file} should be text in UTF-8 and is not", "{file} debería ser texto en UTF-8 y no lo es"),
    "missing_cell": (
        "the cell of this task ({task}) is not in the notebook; take a fresh copy of the lab and move your work there",
        "la celda de esta tarea ({task}) no está en el cuaderno; tome una copia nueva del laboratorio y traslade su "
        "trabajo",
    ),
    "cell_error": (
        "the cell raised {detail}; it is run with the notebook's imports, functions and constants, and nothing else",
        "la celda produjo {detail}; se ejecuta con lo que el cuaderno importa, define como función o fija como "
        "constante, y con nada más",
    ),
    "no_function": ("the cell defines no function {function}", "la celda no define ninguna función {function}"),
    "slow": (
        "{function} took longer than {seconds:g} seconds",
        "{function} tardó más de {seconds:g} segundos",
    ),
    "no_answer": ("{function} gave no answer that could be read", "{function} no dio ninguna respuesta legible"),
    "wrong": (
        "{function} is right in {right} of {cases} cases; all must be right, and half of them give half the points",
        "{function} acierta en {right} de {cases} casos; deben ser todos, y con la mitad se obtiene la mitad de los "
        "puntos",
    ),
    "wrong_error": (
        "{function} is right in {right} of {cases} cases, and raised {detail} in another",
        "{function} acierta en {right} de {cases} casos y en otro produjo {detail}",
    ),
    "no_notebook": (
        "the submission is no notebook that can be opened ({detail})",
        "la entrega no es un cuaderno que se pueda abrir ({detail})",
    ),
    "absent": ("there is no notebook in the submission", "no hay ningún cuaderno en la entrega"),
    "several": (
        "the submission has {count} notebooks; hand in one",
        "la entrega tiene {count} cuadernos; entregue uno solo",
    ),
    "not_moved": (
        "{file} shows no weight of the backbone that training has moved; half of the points at most",
        "{file} no muestra ningún peso de la red base que haya movido el entrenamiento; la mitad de los puntos como "
        "máximo",
    ),
    "forgot": (
        "more than {most:g} points of accuracy below your own {other}; half of the points at most",
        "más de {most:g} puntos de exactitud por debajo de su propia tarea {other}; la mitad de los puntos como máximo",
    ),
    "twice": (
        "{learner} handed in twice, as a folder and as a file; keep one of them",
        "{learner} ha entregado dos veces, en una carpeta y en un archivo; deje una sola",
    ),
    "not_run": ("the notebook was not run", "el cuaderno no se ejecutó"),
}
LEFT_OUT = {  # why a file in the folder of submissions is nobody's result
    "other_file": (
        "no notebook: one must be called LEARNER.ipynb, or lie in a folder LEARNER",
        "no es un cuaderno: debe llamarse ALUMNO.ipynb o estar en una carpeta ALUMNO",
    ),
    "hidden": ("a hidden file", "un archivo oculto"),
    "beside": ("lies beside the notebook that was graded", "está junto al cuaderno calificado"),
    "several_here": ("one of several notebooks of this learner", "uno de los varios cuadernos de esta persona"),
}
OUTCOMES = {  # how the run ended
    "finished": ("the notebook ran to its end", "el cuaderno se ejecutó hasta el final"),
    "time": (
        "the notebook was ended when its {wall:g} seconds were over",
        "el cuaderno se detuvo al cumplirse sus {wall:g} segundos",
    ),
    "memory": ("the notebook was ended for want of memory", "el cuaderno se detuvo por falta de memoria"),
    "output": (
        "the notebook was ended because it printed and showed too much",
        "el cuaderno se detuvo porque imprimía y mostraba demasiado",
    ),
    "died": (
        "the notebook's kernel ended before its last cell",
        "el kernel del cuaderno terminó antes de la última celda",
    ),
    "client": (
        "the notebook was ended because what it sent could not be read",
        "el cuaderno se detuvo porque no se podía leer lo que enviaba",
    ),
    "no_notebook": REASONS["not_run"],
}


def explain(code: str, values: dict, language: str) -> str:
    """The reason for a result, as a sentence without its full stop.

    Raises:
        UnknownNameError: No such code.
    """
    return _fill(REASONS, code, values, language)


def explain_outcome(outcome: str, values: dict, language: str) -> str:
    """How the run ended.

    Raises:
        UnknownNameError: No such outcome.
    """
    return _fill(OUTCOMES, outcome, values, language)


def explain_left_out(code: str, language: str) -> str:
    """Why a file is nobody's result.

    Raises:
        UnknownNameError: No such code.
    """
    return _fill(LEFT_OUT, code, {}, language)


def _fill(texts: dict, code: str, values: dict, language: str) -> str:
    if code not in texts:
        raise UnknownNameError("reason", code, texts)
    shares = {name: percent(value) if name in ("reached", "bound") else value for name, value in values.items()}
    return texts[code][LANGUAGES.index(language)].format(**shares)

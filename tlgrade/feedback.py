"""What a learner is told: points and reasons, task by task, as a page without a script. No label, no hidden image, and
nothing that the notebook printed.
"""

import hashlib
import html
import os
import re
from collections.abc import Mapping
from pathlib import Path

from tlgrade.gradebooks import number
from tlgrade.reasons import explain, explain_outcome
from tlhelpers.paths import atomic_path

TEXTS = {
    "en": {
        "points": "Points", "task": "Task", "reason": "Why", "bonus": "bonus", "of": "of", "run": "The run",
        "cells": "Cells that raised an error, counted from 1", "trusted": "This was graded without a box.",
        "copies": "the notebook has this cell more than once, and the last one counts",
        "halves": "Shares are those of one half of the hidden images; the points come from the other half.",
    },
    "es": {
        "points": "Puntos", "task": "Tarea", "reason": "Por qué", "bonus": "extra", "of": "de", "run": "La ejecución",
        "cells": "Celdas que produjeron un error, contadas desde 1", "trusted": "Se calificó sin entorno aislado.",
        "copies": "esta celda está más de una vez en el cuaderno, y cuenta la última",
        "halves": "Los porcentajes son de una mitad de las imágenes ocultas; los puntos salen de la otra mitad.",
    },
}  # fmt: skip
PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid #ccc; padding: .4rem .6rem; text-align: left; vertical-align: top; }}
td.number {{ white-space: nowrap; text-align: right; }}
.bar {{ background: #4477aa; height: .8rem; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
_SHOWN_CELLS = 20


def write_feedback(folder: Path, lab, learner: str, result: Mapping, language: str) -> Path:
    """Writes a learner's page, in the notebook's language or else in `language`.

    Returns:
        The page's path.
    """
    language = result["language"] or language
    path = folder / f"{file_name(learner)}.html"
    with atomic_path(path) as temporary:
        temporary.write_text(render(lab, learner, result, language), encoding="utf-8")
    return path


def render(lab, learner: str, result: Mapping, language: str) -> str:
    """The page's HTML; everything in it that is not ours is escaped."""
    texts, titles = TEXTS[language], {task["id"]: task["title"][language] for task in lab.tasks}
    rows = []
    copies = set(result["copies"])
    for task in result["tasks"]:
        name = titles[task["id"]] + (f" ({texts['bonus']})" if task["bonus"] else "")
        points = f"{number(task['points'])} {texts['of']} {number(task['of'])}"
        why = explain(task["code"], task["values"], language)
        why += f"; {texts['copies']}" * (task["id"] in copies)
        rows.append(
            f'<tr><td>{escape(name)}</td><td class="number">{escape(points)}</td><td>{escape(_sentence(why))}</td></tr>'
        )
    bonus = f" + {number(result['bonus'])} ({texts['bonus']})" if result["bonus"] else ""
    total = f"{texts['points']}: {number(result['points'])} {texts['of']} {number(result['of'])}{bonus}"
    run = [_sentence(explain_outcome(result["outcome"], result, language))]
    if result["failed_cells"]:
        run.append(f"{texts['cells']}: {', '.join(str(index + 1) for index in result['failed_cells'][:_SHOWN_CELLS])}.")
    if not result["boxed"]:
        run.append(texts["trusted"])
    head = "".join(f"<th>{escape(texts[name])}</th>" for name in ("task", "points", "reason"))
    body = [
        f"<h1>{escape(lab.title[language])}</h1>", f"<p>{escape(learner)}</p>",
        f"<p><strong>{escape(total)}</strong></p>",
        f"<table><thead><tr>{head}</tr></thead>", f"<tbody>{''.join(rows)}</tbody></table>",
        f"<p>{escape(texts['halves'])}</p>", f"<h2>{escape(texts['run'])}</h2>", f"<p>{escape(' '.join(run))}</p>",
    ]  # fmt: skip
    return PAGE.format(language=language, title=escape(f"{lab.title[language]}: {learner}"), body="\n".join(body))


def file_name(learner: str) -> str:
    """A file name for a learner: what is ordinary in the learner's own, and a hash that no other has."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", learner).lstrip(".")[:80]
    return f"{safe or 'learner'}-{hashlib.sha256(os.fsencode(learner)).hexdigest()[:12]}"


def escape(text: str) -> str:
    """Text for HTML, without control characters."""
    return html.escape("".join(sign if sign.isprintable() else " " for sign in text))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."

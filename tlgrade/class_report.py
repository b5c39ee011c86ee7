"""What a grader wants to know of a class: how the points are distributed, which breeds are hard, how long it took."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean, median, quantiles

from tlgrade.feedback import PAGE, escape
from tlgrade.gradebooks import number
from tlgrade.reasons import explain_outcome
from tlhelpers.paths import atomic_path

BINS = 10
HARDEST = 10
TEXTS = {
    "en": {
        "class": "class report", "submissions": "submissions graded", "lost": "not graded", "mean": "mean",
        "median": "median", "points": "Points", "tasks": "Tasks: mean share of the points", "runs": "How runs ended",
        "hardest": "Hardest breeds: share recognised over the class", "seconds": "Seconds a submission",
        "most": "longest", "trusted": "graded without a box",
    },
    "es": {
        "class": "informe de la clase", "submissions": "entregas calificadas", "lost": "sin calificar", "mean": "media",
        "median": "mediana", "points": "Puntos", "tasks": "Tareas: parte media de los puntos",
        "runs": "Cómo terminaron las ejecuciones", "hardest": "Razas más difíciles: parte reconocida en la clase",
        "seconds": "Segundos por entrega", "most": "la más larga", "trusted": "calificadas sin entorno aislado",
    },
}  # fmt: skip


class ClassReport:
    """Collects results one by one, so that a large class needs little memory."""

    def __init__(self, lab):
        self._lab = lab
        self._points: list[float] = []
        self._seconds: list[float] = []
        self._runs, self._right, self._seen = Counter(), Counter(), Counter()
        self._tasks = {task["id"]: 0.0 for task in lab.tasks}
        self._lost = self._trusted = 0
        self._wall = 0.0

    def add(self, result: Mapping | None) -> None:
        """Takes in a result; None is one that could not be graded."""
        if result is None:
            self._lost += 1
            return
        self._points.append(result["points"])
        self._seconds.append(result["measured"]["all"])
        self._runs[result["outcome"]] += 1
        self._trusted += not result["boxed"]
        self._wall = result["wall"]
        for task in result["tasks"]:
            self._tasks[task["id"]] += task["points"] / task["of"] if task["of"] else 0.0
        for breed, (right, total) in (result["breeds"] or {}).items():
            self._right[breed] += right
            self._seen[breed] += total

    def write(self, path: Path, language: str) -> None:
        """Writes the report as a page without a script."""
        texts, n = TEXTS[language], len(self._points)
        title = f"{self._lab.title[language]}: {texts['class']}"
        counts = f"{n} {texts['submissions']}, {self._lost} {texts['lost']}"
        body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(counts)}</p>"]
        if self._trusted:
            body.append(f"<p><strong>{self._trusted} {escape(texts['trusted'])}</strong></p>")
        if n:
            body += self._sections(texts, n, language)
        page = PAGE.format(language=language, title=escape(title), body="\n".join(body))
        with atomic_path(path) as temporary:
            temporary.write_text(page, encoding="utf-8")

    def _sections(self, texts: Mapping, n: int, language: str) -> list[str]:
        titles = {task["id"]: task["title"][language] for task in self._lab.tasks}
        spread = f"{texts['mean']} {fmean(self._points):.2f}, {texts['median']} {number(median(self._points))}"
        shares = {breed: self._right[breed] / seen for breed, seen in self._seen.items() if seen}
        hardest = sorted(shares.items(), key=lambda item: (item[1], item[0]))[:HARDEST]
        late = quantiles(self._seconds, n=20)[-1] if n > 1 else self._seconds[0]
        took = (
            f"{texts['median']} {median(self._seconds):.1f}, 95 % {late:.1f}, {texts['most']} {max(self._seconds):.1f}"
        )
        runs = [
            (explain_outcome(name, {"wall": self._wall}, language), count, count / n)
            for name, count in self._runs.most_common()
        ]
        tasks = [(titles[name], f"{total / n:.0%}", total / n) for name, total in self._tasks.items()]
        return [
            f"<h2>{escape(texts['points'])}</h2><p>{escape(spread)}</p>", _bars(self._histogram()),
            f"<h2>{escape(texts['tasks'])}</h2>", _bars(tasks),
            f"<h2>{escape(texts['hardest'])}</h2>", _bars((breed, f"{share:.0%}", share) for breed, share in hardest),
            f"<h2>{escape(texts['runs'])}</h2>", _bars(runs),
            f"<h2>{escape(texts['seconds'])}</h2><p>{escape(took)}</p>",
        ]  # fmt: skip

    def _histogram(self) -> list[tuple[str, int, float]]:
        width = max(self._lab.points, 1e-9) / BINS
        counts = Counter(min(BINS - 1, int(points / width)) for points in self._points)
        most = max(counts.values())
        return [
            (f"{number(place * width)} – {number((place + 1) * width)}", counts[place], counts[place] / most)
            for place in range(BINS)
        ]


def _bars(rows: Iterable[tuple[str, object, float]]) -> str:
    lines = [
        f'<tr><td>{escape(name)}</td><td class="number">{escape(str(value))}</td>'
        f'<td style="width: 50%"><div class="bar" style="width: {share:.0%}"></div></td></tr>'
        for name, value, share in rows
    ]
    return f"<table><tbody>{''.join(lines)}</tbody></table>"

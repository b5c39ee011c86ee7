"""Grades many submissions with dask.distributed: one process a slot, windows of futures, and only what is missing."""

import contextlib
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tlgrade.grade_one import grade
from tlgrade.lab import open_lab
from tlgrade.run_submission import ClientProcess
from tlgrade.settings import BoxSettings
from tlgrade.store import ResultStore, result_key
from tlgrade.submissions import Submission, read_submission
from tlhelpers.errors import TlhelpersError

SCHEDULER_SECONDS = 10
# Dask's workers watch themselves a hundred times a second and more. With 32 of them on two cores that took at least a
# third of the time of an empty task.
CLUSTER_SETTINGS = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.worker.memory.terminate": False,
}
WINDOW = 1000  # futures at a time: enough to keep 1,000 slots busy, few enough to keep the memory flat


@dataclass
class Batch:
    """What came of a batch.

    Attributes:
        keys: For each learner the key of the result; 64 characters each.
        failures: For each learner whose submission could not be graded, why. That is the grader's trouble, not theirs.
        graded: How many were graded now, and not found in the store.
    """

    keys: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    graded: int = 0


def grade_batch(
    submissions: Iterable[Submission], lab_folder: Path, settings: BoxSettings, store: ResultStore, *,
    scheduler: str | None = None, workers: int | None = None, progress: bool = True, window: int = WINDOW,
) -> Batch:  # fmt: skip
    """Grades what the store does not hold.

    Args:
        submissions: What was handed in.
        lab_folder: As `prepare_lab` wrote it. With `scheduler` all machines see it and the submissions by these paths.
        settings: What boxes are made with.
        store: Where results go.
        scheduler: Address of a dask scheduler; by default a cluster of this machine.
        workers: Processes of that cluster, by default one a core; 0 grades in this process.
        progress: Show how many are done and the time that is left.
        window: Futures at a time.
    """
    digest = open_lab(str(lab_folder)).digest
    batch, missing = Batch(), {}
    for submission in submissions:
        key = result_key(read_submission(submission), digest, settings)
        batch.keys[submission.learner] = key
        if key not in missing and store.read(key) is None:
            missing[key] = submission
    jobs = ((submission, str(lab_folder), settings.to_json()) for submission in missing.values())
    few = len(missing) < 2 and not scheduler
    with _mapper(0 if few else workers, scheduler, window) as run, _bar(len(missing), progress) as bar:
        for submission, answer in run(grade_submission, jobs):
            _keep(batch, store, submission, answer)
            bar.update()
    lost = {batch.keys[learner]: told for learner, told in batch.failures.items()}
    for learner, key in batch.keys.items():  # whoever handed in the same file
        if key in lost:
            batch.failures.setdefault(learner, lost[key])
    return batch


def grade_submission(submission: Submission, lab_folder: str, settings: dict) -> tuple[str, dict]:
    """Grades one submission in this process, which keeps its client process for the next.

    Returns:
        The result's key, and the result.
    """
    lab, made_with = open_lab(lab_folder), BoxSettings.from_json(settings)
    content = read_submission(submission)
    return result_key(content, lab.digest, made_with), grade(content, lab, made_with, client_process())


@functools.cache
def client_process() -> ClientProcess:
    """This process's client."""
    return ClientProcess()


def _keep(batch: Batch, store: ResultStore, submission: Submission, answer: tuple | Exception) -> None:
    if isinstance(answer, Exception):
        batch.failures[submission.learner] = f"{type(answer).__name__}: {answer}"
        return
    key, result = answer
    if key != batch.keys[submission.learner]:
        batch.failures[submission.learner] = (
            "the submission changed while it was graded, or a worker has other packages than this process; "
            "grade again, with the same environment everywhere"
        )
        return
    store.write(key, result)
    batch.graded += 1


Run = Callable[[Callable, Iterable[tuple]], Iterator[tuple]]


@contextlib.contextmanager
def _mapper(workers: int | None, scheduler: str | None, window: int) -> Iterator[Run]:
    """What runs a function on many arguments and gives, for each, its first argument and the answer or the error."""
    if workers == 0 and not scheduler:
        try:
            yield _run_here
        finally:
            client_process().close()
        return
    with open_cluster(workers, scheduler) as cluster:
        yield functools.partial(run_windows, cluster, window=window)


def _run_here(function: Callable, jobs: Iterable[tuple]) -> Iterator[tuple]:
    for job in jobs:
        try:
            yield job[0], function(*job)
        except (TlhelpersError, OSError) as error:
            yield job[0], error


@contextlib.contextmanager
def open_cluster(workers: int | None, scheduler: str | None) -> Iterator:
    """A client of a dask cluster: of one that exists, or of one on this machine that ends with the block.

    Raises:
        TlhelpersError: No scheduler answers at the address.
    """
    import dask
    from distributed import Client, LocalCluster

    if scheduler:
        try:
            client = Client(scheduler, timeout=SCHEDULER_SECONDS)
        except (OSError, ValueError) as error:
            raise TlhelpersError(
                f"expected a dask scheduler at {scheduler}, and none answered ({error}). "
                "Start one with `dask scheduler`, or leave --scheduler out to use this machine."
            ) from None
        with client:
            yield client
        return
    with (
        dask.config.set(CLUSTER_SETTINGS),
        LocalCluster(
            n_workers=workers or os.cpu_count(), threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0",
            memory_limit=0, silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client


def run_windows(client, function: Callable, jobs: Iterable[tuple], *, window: int = WINDOW) -> Iterator[tuple]:
    """Runs a function on many arguments, `window` of them at a time.

    Args:
        client: Of a dask cluster.
        function: What to run.
        jobs: Its arguments; taken as they are needed.
        window: Futures that are held at a time.

    Yields:
        For each, as it is done, its first argument and the answer, or the error.
    """
    from distributed import as_completed

    jobs, running, done = iter(jobs), {}, as_completed()

    def start(count: int) -> None:
        part = list(itertools.islice(jobs, count))
        if part:  # many at once, as is gathering them: one at a time costs dask several times as much
            futures = client.map(function, *zip(*part, strict=True), pure=False)
            running.update((future.key, job[0]) for future, job in zip(futures, part, strict=True))
            done.update(futures)

    start(window)
    for futures in done.batches():
        finished = [future for future in futures if future.status == "finished"]
        answers = dict(zip(finished, client.gather(finished), strict=True))
        for future in futures:
            yield running.pop(future.key), answers[future] if future in answers else future.exception()
            future.release()
        start(len(futures))


def _bar(total: int, progress: bool):
    from tqdm import tqdm

    return tqdm(total=total, desc="grading", unit=" submissions", disable=not progress, smoothing=0.05)

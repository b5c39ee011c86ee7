"""Grades many submissions: several at a time, and only what is missing.

On one machine each slot is a thread, which waits for the client process that runs its notebooks. On several, a dask
cluster has the slots.
"""

import contextlib
import dataclasses
import functools
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from tlgrade.grade_one import grade
from tlgrade.lab import open_lab
from tlgrade.reasons import explain
from tlgrade.run_submission import ClientProcess
from tlgrade.settings import BoxSettings
from tlgrade.store import ResultStore, result_key
from tlgrade.submissions import Submission, read_submission
from tlhelpers.errors import TlhelpersError

SCHEDULER_SECONDS = 10
_here = threading.local()
_clients: list[ClientProcess] = []
WINDOW = 1000  # futures at a time: enough to keep 1,000 slots busy, few enough to keep the memory flat


@dataclass
class Batch:
    """What came of a batch.

    Attributes:
        keys: For each learner the key of the result; 64 characters each. Who has only a failure may have none.
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
        scheduler: Address of a dask scheduler; by default this machine alone.
        workers: Notebooks at a time on this machine; by default one a core.
        progress: Show how many are done and the time that is left.
        window: Futures at a time.
    """
    digest = open_lab(str(lab_folder)).digest
    batch, missing = Batch(), {}
    for submission in submissions:
        if submission.refusal and submission.refusal.code == "twice":  # which of the two counts is for a person to say
            batch.failures[submission.learner] = explain("twice", submission.refusal.values, "en")
            continue
        key = result_key(read_submission(submission), digest, settings)
        batch.keys[submission.learner] = key
        if key not in missing and store.read(key) is None:
            missing[key] = submission
    if len(missing) == 1:  # what a template imports for one notebook alone, that notebook imports as quickly itself
        settings = dataclasses.replace(settings, fork=False)
    jobs = ((submission, str(lab_folder), settings.to_json()) for submission in missing.values())
    with _mapper(workers, scheduler, window) as run, _bar(len(missing), progress) as bar:
        for submission, answer in run(grade_submission, jobs):
            _keep(batch, store, submission, answer)
            bar.update()
    lost = {batch.keys[learner]: told for learner, told in batch.failures.items() if learner in batch.keys}
    for learner, key in batch.keys.items():  # whoever handed in the same file
        if key in lost:
            batch.failures.setdefault(learner, lost[key])
    return batch


def grade_submission(submission: Submission, lab_folder: str, settings: dict) -> tuple[str, dict]:
    """Grades one submission in this thread, which keeps its client process for the next.

    Returns:
        The result's key, and the result.
    """
    lab, made_with = open_lab(lab_folder), BoxSettings.from_json(settings)
    content = read_submission(submission)
    return result_key(content, lab.digest, made_with), grade(content, lab, made_with, client_process())


def client_process() -> ClientProcess:
    """This thread's client."""
    if not hasattr(_here, "client"):
        _here.client = ClientProcess()
        _clients.append(_here.client)
    return _here.client


def close_clients() -> None:
    """Ends the clients of all threads, and with them the notebooks that they run."""
    while _clients:
        _clients.pop().end()


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
    if scheduler:
        with open_cluster(scheduler) as cluster:
            yield functools.partial(run_windows, cluster, window=window)
        return
    slots = workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(slots)
    try:
        yield functools.partial(run_threads, pool, slots=slots)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        close_clients()  # after an interruption, too: no thread then waits for a notebook
        pool.shutdown()


def run_threads(pool: ThreadPoolExecutor, function: Callable, jobs: Iterable[tuple], *, slots: int) -> Iterator[tuple]:
    """Runs a function on many arguments in the pool's threads.

    Yields:
        For each, as it is done, its first argument and the answer, or the error.
    """
    jobs, running = iter(jobs), {}
    while True:
        for job in itertools.islice(jobs, 2 * slots - len(running)):
            running[pool.submit(function, *job)] = job[0]
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            error = future.exception()
            if error is not None and not isinstance(error, TlhelpersError | OSError | MemoryError):
                raise error
            yield running.pop(future), error or future.result()


@contextlib.contextmanager
def open_cluster(scheduler: str) -> Iterator:
    """A client of a dask cluster.

    Raises:
        TlhelpersError: dask is not installed, or no scheduler answers at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise TlhelpersError("expected dask.distributed for --scheduler. Install it: pip install distributed") from None
    try:
        client = Client(scheduler, timeout=SCHEDULER_SECONDS)
    except (OSError, ValueError) as error:
        raise TlhelpersError(
            f"expected a dask scheduler at {scheduler}, and none answered ({error}). "
            "Start one with `dask scheduler`, or leave --scheduler out to use this machine."
        ) from None
    with client:
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

"""TensorFlow without its notes on stderr, which beginners take for errors."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # TensorFlow's own variable


def import_tensorflow() -> None:
    """Imports TensorFlow for the first time, and keeps what its compiled code then writes to ourselves.

    It tells of processor features and of missing GPUs. Python's exceptions still say what goes wrong, and whoever sets
    TF_CPP_MIN_LOG_LEVEL sees everything. It also warns that a function is traced again and again where several models
    each have a graph of their own, traced once: that is no mistake in a lesson.
    """
    if LEVEL not in os.environ:
        logging.getLogger("tensorflow").addFilter(_no_retracing_warning)
        os.environ[LEVEL] = "3"
        with _quiet_stderr():
            import tensorflow  # noqa: F401


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keeps what is written to file descriptor 2 to ourselves; shows it if the body fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except BaseException:
            file.seek(0)
            os.write(kept, file.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _no_retracing_warning(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()

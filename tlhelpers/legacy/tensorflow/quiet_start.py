"""Import TensorFlow without its notes on stderr, which beginners take for errors.

TensorFlow tells there of processor features and of missing GPUs. Python exceptions still say what goes wrong, and
whoever sets TF_CPP_MIN_LOG_LEVEL sees everything. It also warns that a function is traced again and again where several
models each have a graph of their own, traced once: that is no mistake here.
"""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what compiled code writes to file descriptor 2 to ourselves; show it if the body fails."""
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


if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
    logging.getLogger("tensorflow").addFilter(_no_retracing_warning)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with quiet_stderr():
        import tensorflow  # noqa: F401

"""Import TensorFlow without its notes on stderr, which beginners take for errors.

TensorFlow tells there of processor features and of missing GPUs. Python exceptions still say what goes wrong, and
whoever sets TF_CPP_MIN_LOG_LEVEL sees everything.
"""

import contextlib
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


if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with quiet_stderr():
        import tensorflow  # noqa: F401

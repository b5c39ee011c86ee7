"""Seconds that `import tlhelpers` takes, the median of several fresh processes."""

import json
import statistics
import subprocess
import sys

SCRIPT = "import time; t = time.perf_counter(); import tlhelpers; print(time.perf_counter() - t)"


def measure(repeats: int = 7) -> dict[str, float]:
    """The median, in seconds."""
    times = [float(subprocess.check_output([sys.executable, "-c", SCRIPT])) for _ in range(repeats)]
    return {"import_seconds": statistics.median(times)}


if __name__ == "__main__":
    print(json.dumps(measure()))

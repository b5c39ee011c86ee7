"""What a run costs: seconds, peak memory, and energy where the machine has a counter that may be read.

Processors: the RAPL counters of Linux (`/sys/class/powercap`), which many machines show to administrators only and
virtual ones not at all. Graphics cards: the power that `nvidia-smi` reports, summed over time. Both count all that the
chip does meanwhile, also for other programs, and neither counts screen, disk or power supply. Where there is no counter
the energy is None: nothing is estimated.
"""

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

Result = TypeVar("Result")
POWERCAP = Path("/sys/class/powercap")
STATM = Path("/proc/self/statm")
SECONDS_BETWEEN_LOOKS = 0.05
SECONDS_BETWEEN_POWERS = 0.5  # nvidia-smi takes a while itself


@dataclass(frozen=True)
class RunCost:
    """What a run cost.

    Attributes:
        seconds: duration.
        joules: energy of all counters together; None where there is none.
        peak_bytes: largest resident memory of this process during the run; None where the system does not say.
        counters: names of the energy counters that were read.
    """

    seconds: float
    joules: float | None
    peak_bytes: int | None
    counters: tuple[str, ...]


class EnergyCounter(Protocol):
    """A counter of energy."""

    name: str

    def poll(self, last: bool = False) -> float:
        """Joules since the last call, or since the counter was made; the last call may not be put off."""


class RaplCounter:
    """A processor's own counter, of one package."""

    def __init__(self, zone: Path):
        self.name = f"RAPL {(zone / 'name').read_text().strip()}"
        self._file = zone / "energy_uj"
        self._range = int((zone / "max_energy_range_uj").read_text())
        self._last = self._read()

    def _read(self) -> int:
        return int(self._file.read_text())

    def poll(self, last: bool = False) -> float:
        """Joules since the last call; the counter starts at 0 again after its largest value."""
        now = self._read()
        spent = now - self._last if now >= self._last else now + self._range - self._last
        self._last = now
        return spent / 1e6


class NvidiaCounter:
    """Power of all NVIDIA cards, times the seconds between two looks."""

    name = "nvidia-smi"

    def __init__(self, command: str = "nvidia-smi"):
        self._command = [command, "--query-gpu=power.draw", "--format=csv,noheader,nounits"]
        self._watts, self._at = self._read(), time.perf_counter()

    def _read(self) -> float:
        out = subprocess.run(self._command, capture_output=True, text=True, timeout=10, check=True).stdout
        return sum(float(line) for line in out.split("\n") if line.strip())

    def poll(self, last: bool = False) -> float:
        """Joules since the last call: the mean of the powers at its ends, times the seconds."""
        if not last and time.perf_counter() - self._at < SECONDS_BETWEEN_POWERS:
            return 0.0
        watts, at = self._read(), time.perf_counter()
        joules = (watts + self._watts) / 2 * (at - self._at)
        self._watts, self._at = watts, at
        return joules


def find_energy_counters(powercap: Path = POWERCAP, nvidia_smi: str = "nvidia-smi") -> list[EnergyCounter]:
    """The counters of this machine that may be read; often none.

    Args:
        powercap: where Linux keeps the processors' counters.
        nvidia_smi: command of the driver of NVIDIA's cards.
    """
    counters: list[EnergyCounter] = []
    for zone in sorted(powercap.glob("intel-rapl:*")):  # AMD's processors come under this name too
        try:
            if (zone / "name").read_text().startswith("package"):  # the other zones are parts of a package
                counters.append(RaplCounter(zone))
        except (OSError, ValueError):
            continue  # not for us to read
    if command := shutil.which(nvidia_smi):
        # a driver without a card, or a card that does not tell its power
        with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
            counters.append(NvidiaCounter(command))
    return counters


def measure_run(
    action: Callable[[], Result], counters: Callable[[], list[EnergyCounter]] = find_energy_counters
) -> tuple[Result, RunCost]:
    """Run something and say what it cost.

    Args:
        action: what to run, without arguments.
        counters: finds the energy counters.

    Returns:
        What the action returned, and the cost.
    """
    watcher = _Watcher(counters())
    watcher.start()
    started = time.perf_counter()
    try:
        result = action()
    finally:
        seconds = time.perf_counter() - started
        watcher.finish()
    joules = sum(watcher.joules.values()) if watcher.joules else None
    return result, RunCost(seconds, joules, watcher.peak_bytes, tuple(counter.name for counter in watcher.joules))


def describe_energy(cost: RunCost, language: str = "en") -> str:
    """A sentence: how the energy was counted, or that it was not."""
    if cost.joules is None:
        return {
            "en": "This machine shows no energy counter, so the energy is left blank.",
            "es": "Este equipo no ofrece ningún contador de energía, así que la energía queda en blanco.",
        }[language]
    names = ", ".join(cost.counters)
    return {"en": f"Energy counted by: {names}.", "es": f"Energía medida con: {names}."}[language]


class _Watcher(threading.Thread):
    """Looks at memory and counters from time to time, and once more at the end."""

    def __init__(self, counters: list[EnergyCounter]):
        super().__init__(daemon=True)
        self.joules, self.peak_bytes = dict.fromkeys(counters, 0.0), None
        self._end = threading.Event()

    def run(self) -> None:
        """Look until the end."""
        while not self._end.wait(SECONDS_BETWEEN_LOOKS):
            self._look()

    def finish(self) -> None:
        """Look for the last time."""
        self._end.set()
        self.join()
        self._look(last=True)

    def _look(self, last: bool = False) -> None:
        resident = _resident_bytes()
        if resident is not None:
            self.peak_bytes = max(self.peak_bytes or 0, resident)
        for counter in list(self.joules):
            try:
                self.joules[counter] += counter.poll(last)
            except (OSError, ValueError, subprocess.SubprocessError):
                del self.joules[counter]  # it stopped answering, and what it counted before would mislead


def _resident_bytes() -> int | None:
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None

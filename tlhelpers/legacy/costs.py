"""What a network costs: parameters, multiply-adds, size, latency, throughput. Neutral parts; the mirrors measure."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one network costs on one machine, for images of the network's own size.

    Attributes:
        parameters: numbers that training may change (BatchNorm's statistics are not counted).
        multiply_adds: multiplications, each with its addition, of convolutions and matrix products for one image. What
            others call FLOPs is either this number or twice it.
        size_bytes: of all weights as they are kept in memory and, but for a short header, on disk.
        latency_ms: median time for a batch of one image, in milliseconds.
        images_per_second: throughput with a larger batch.
    """

    parameters: int
    multiply_adds: int
    size_bytes: int
    latency_ms: float
    images_per_second: float

    @property
    def size_mb(self) -> float:
        """Size in megabytes, of a million bytes each."""
        return self.size_bytes / 1e6


def median_seconds(action: Callable[[], object], *, repeats: int = 5, warm_up: int = 1, enough: float = 2.0) -> float:
    """Median duration of a call, in seconds.

    The median, since another program may disturb one call or two; the first calls are thrown away, since they also
    choose algorithms, compile and fill caches.

    Args:
        action: what is timed; it must not return before its result is there.
        repeats: calls that count.
        warm_up: calls before them that do not.
        enough: seconds after which no further call begins, so that a slow network does not take minutes.

    Raises:
        ValueError: for fewer than one repeat or a negative warm-up.
    """
    if repeats < 1 or warm_up < 0:
        raise ValueError(f"expected repeats >= 1 and warm_up >= 0, got {repeats} and {warm_up}")
    for _ in range(warm_up):
        action()
    seconds = []
    while len(seconds) < repeats and sum(seconds) < enough:
        seconds.append(_seconds(action))
    return statistics.median(seconds)


def fastest_in_turns(actions: Mapping[str, Callable[[], object]], *, rounds: int = 10) -> dict[str, float]:
    """Duration of the fastest call of each action, in seconds, for a fair comparison on a machine that is not quiet.

    The actions take turns, so that a disturbance hits all alike; the fastest call is the one that was disturbed least.

    Args:
        actions: by name; none may return before its result is there.
        rounds: calls of each, after one that does not count.

    Raises:
        ValueError: for fewer than one round.
    """
    if rounds < 1:
        raise ValueError(f"expected rounds >= 1, got {rounds}")
    for action in actions.values():
        action()
    turns = [{name: _seconds(action) for name, action in actions.items()} for _ in range(rounds)]
    return {name: min(turn[name] for turn in turns) for name in actions}


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def convolution_multiply_adds(
    in_channels: int, out_channels: int, kernel: int, out_height: int, out_width: int, groups: int = 1
) -> int:
    """Multiply-adds of one convolution for one image, by the closed formula.

    Each of `out_height * out_width * out_channels` outputs sums over `kernel * kernel` places of the
    `in_channels / groups` channels that it sees.

    >>> convolution_multiply_adds(3, 64, 7, 112, 112)
    118013952

    Raises:
        ValueError: where `groups` does not divide the channels.
    """
    if in_channels % groups or out_channels % groups:
        raise ValueError(f"expected groups that divide both {in_channels} and {out_channels} channels, got {groups}")
    return out_height * out_width * out_channels * kernel * kernel * (in_channels // groups)


def measure_with(forward: Callable, images, *, batch_size: int, repeats: int) -> tuple[float, float]:
    """Latency in milliseconds and images a second of `forward`.

    Args:
        forward: gives the result for a batch, and waits for it.
        images: shape `(batch_size, h, w, 3)`, uint8.
        batch_size: for the throughput; the latency is that of one image.
        repeats: calls timed, for each.
    """
    latency = median_seconds(lambda: forward(images[:1]), repeats=repeats)
    long = batch_size * latency > 1  # then what a first call does besides is little against it
    seconds = median_seconds(lambda: forward(images), repeats=repeats, warm_up=0 if long else 1)
    return 1000 * latency, batch_size / seconds


def check_measure(batch_size: int, repeats: int) -> None:
    """Refuse what cannot be measured.

    Raises:
        ValueError: for a batch of no images, or no repeats.
    """
    if batch_size < 1 or repeats < 1:
        raise ValueError(f"expected batch_size >= 1 and repeats >= 1, got {batch_size} and {repeats}")


def within_budget(
    costs: Mapping[str, Cost],
    *,
    latency_ms: float | None = None,
    size_mb: float | None = None,
    multiply_adds: float | None = None,
) -> list[str]:
    """Names of the networks that stay within every limit that is given, in their order.

    Args:
        costs: by name.
        latency_ms: largest latency, in milliseconds; None for no limit.
        size_mb: largest size, in megabytes of a million bytes.
        multiply_adds: most multiply-adds for one image.
    """
    limits = {"latency_ms": latency_ms, "size_mb": size_mb, "multiply_adds": multiply_adds}
    limits = {quantity: limit for quantity, limit in limits.items() if limit is not None}
    return [name for name, cost in costs.items() if all(getattr(cost, q) <= limit for q, limit in limits.items())]


def on_the_front(
    costs: Mapping[str, Cost], accuracies: Mapping[str, float | None], *, quantity: str = "latency_ms"
) -> list[str]:
    """Networks that no other one beats: none is at least as accurate and as cheap, and better in one of the two.

    Args:
        costs: by name.
        accuracies: by name, None where unknown; such a network can neither beat nor be on the front.
        quantity: the cost that counts, an attribute of `Cost`.
    """
    points = {n: (getattr(costs[n], quantity), accuracies[n]) for n in costs if accuracies.get(n) is not None}

    def beaten(cost: float, accuracy: float) -> bool:
        return any(c <= cost and a >= accuracy and (c, a) != (cost, accuracy) for c, a in points.values())

    return [name for name, point in points.items() if not beaten(*point)]

"""Which arithmetic is fastest on this machine."""

import contextlib

import torch

PRECISIONS = ("auto", "float32")


def default_device() -> torch.device:
    """The accelerator where there is one, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def check_precision(precision: str) -> str:
    """Refuse what is not in `PRECISIONS`."""
    if precision not in PRECISIONS:
        raise ValueError(f"expected precision in {PRECISIONS}, got {precision!r}")
    return precision


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """The short type that helps here, or None.

    A processor without bfloat16 of its own emulates it, which measured ten times slower than float32: so ask first.
    """
    if precision == "float32":
        return None
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"):
            return torch.bfloat16
    return None


def compute_context(precision: str, device: torch.device) -> contextlib.ExitStack:
    """A context for forward passes: autocast where it helps; with "float32" no TF32 either."""
    stack = contextlib.ExitStack()
    dtype = autocast_dtype(precision, device)
    if dtype is not None:
        stack.enter_context(torch.autocast(device.type, dtype))
    elif device.type == "cuda" and precision == "float32":
        stack.enter_context(torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=False))
    return stack


def memory_format(precision: str) -> torch.memory_format:
    """Channels last is faster on processors and on GPUs alike; "float32" keeps PyTorch's own order."""
    return torch.contiguous_format if precision == "float32" else torch.channels_last

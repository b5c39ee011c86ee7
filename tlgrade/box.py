"""The box: bubblewrap's command line, the limits within, and a self-test that says what hinders it.

The box has no network, a read-only system, and a few places to write to, all in memory and of limited size: `HOME`,
`OUT` for artefacts, /tmp and /dev/shm. They vanish with the box, also when the grader is killed. What the grader keeps
of `OUT` is an open descriptor that the box hands over before it runs anything of a learner's.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tlgrade.mounts import (
    DATA,
    HOME,
    LAB_DATA,
    OUT,
    SCRIPTS,
    BoxError,
    find_program,
    leave_root,
    mount_options,
)
from tlgrade.settings import BoxSettings, Limits
from tlgrade.syscalls import join_empty_keyring, open_filter

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def start(
    settings: BoxSettings, program: list[str], *, nest: bool = False, descriptors: Iterable[int] = (), **options
) -> subprocess.Popen:
    """Starts a program in a box.

    Args:
        settings: What the box is made with.
        program: The program and its arguments, as paths inside the box.
        nest: Let the program make boxes within this one, as the fork server does. It must then be ours.
        descriptors: Open descriptors that the program gets.
        options: For `subprocess.Popen`.
    """
    join_empty_keyring()
    calls = open_filter()
    kept = (*descriptors, *(() if calls is None else (calls,)))
    try:
        command = box_command(settings, program, nest=nest, calls=calls)
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=kept, cwd="/", **options)
    finally:
        if calls is not None:
            os.close(calls)


def box_command(
    settings: BoxSettings, program: list[str], *, nest: bool = False, calls: int | None = None
) -> list[str]:
    """The command that runs a program in a box.

    Args:
        settings: What the box is made with.
        program: The program and its arguments, as paths inside the box.
        nest: Let the program make boxes within this one, as the fork server does. It must then be ours.
        calls: Descriptor of the filter of system calls, which the command must inherit.
    """
    limits = settings.limits
    bwrap = find_program("bwrap")
    inner = [
        bwrap, "--unshare-all", "--unshare-user", *([] if nest else ["--disable-userns"]), "--die-with-parent",
        "--new-session", "--as-pid-1", "--uid", "1000", "--gid", "1000", "--hostname", "box",
        "--size", str(limits.shared_bytes), "--tmpfs", "/tmp", *mount_options(settings),
        "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev",
        "--size", str(limits.shared_bytes), "--tmpfs", "/dev/shm",
        "--size", str(limits.scratch_bytes), "--tmpfs", HOME,
        "--dir", f"{HOME}/tmp",
        "--size", str(limits.artefact_bytes), "--tmpfs", OUT,
        "--remount-ro", "/", "--chdir", HOME, "--clearenv", *_flags("--setenv", environment(settings).items()),
        *([] if calls is None else ["--seccomp", str(calls)]),
        *(["--cap-add", "ALL"] if nest else ["--cap-drop", "ALL"]), "--", *_limit_command(limits), *program,
    ]  # fmt: skip
    return [*leave_root(settings), *inner] if os.geteuid() == 0 else inner


def environment(settings: BoxSettings, home: str = HOME, out: str = OUT) -> dict[str, str]:
    """The environment of a kernel: nothing of the grader's own is in it."""
    inside = settings.boxed
    values = {
        "HOME": home,
        "USER": "learner",
        "LOGNAME": "learner",
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TMPDIR": f"{home}/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "TLHELPERS_CACHE": f"{home}/.cache/tlhelpers",
        "TLHELPERS_LAB_OUT": out,
        **dict.fromkeys(_ONE_THREAD, str(settings.threads)),
    }
    if settings.lab_data:
        values["TLHELPERS_LAB_DATA"] = LAB_DATA if inside else settings.lab_data
    if settings.weights:
        values["TLHELPERS_DATA"] = DATA if inside else str(Path(settings.weights).parent)
    return values


def self_test(settings: BoxSettings | None = None) -> None:
    """Builds a box and looks at it from within.

    Raises:
        BoxError: It cannot be built or does not hold; the message has the command that mends it.
    """
    if platform.system() != "Linux":
        raise BoxError(
            f"expected Linux, whose namespaces make the box, came {platform.system()}. Grade on a Linux machine, "
            "in a virtual machine, or run submissions that you trust with --trust-submissions."
        )
    settings = settings or BoxSettings()
    program = [sys.executable, f"{SCRIPTS}/probe.py", *settings.secret]
    try:
        process = start(settings, program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            printed, error = process.communicate(timeout=60)
        finally:
            process.kill()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BoxError(f"the box did not start: {error}. {_advice('')}") from None
    if process.returncode or printed.strip() != "holds":
        told = (error.strip() or printed.strip() or f"exit code {process.returncode}").splitlines()[-1]
        raise BoxError(f"the box cannot be built here: {told}. {_advice(told)}")


def _advice(told: str) -> str:
    if "unknown option" in told.lower() or "disable-userns" in told:
        return "bubblewrap 0.8 or later is needed: sudo apt-get install --only-upgrade bubblewrap"
    signs = ("user namespace", "uid map", "ermission denied", "not permitted", "No space left", "ENOSPC")
    if any(sign in told for sign in signs):
        return (
            "The kernel refuses user namespaces. Allow them: sudo sysctl -w user.max_user_namespaces=15000 "
            "kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 "
            "(a name that is not known can be left out)"
        )
    return "Try it by hand: bwrap --unshare-all --ro-bind / / true; or, for submissions you trust, --trust-submissions"


def _limit_command(limits: Limits) -> list[str]:
    import resource  # Windows has none, and should be told that it has no box

    values = {
        "as": limits.address_space, "cpu": limits.cpu, "nproc": limits.processes, "fsize": limits.file_bytes,
        "nofile": limits.open_files,
        "core": 1,  # bytes; with 0 the system would still start a program that collects cores, see core(5)
    }  # fmt: skip
    words = [find_program("prlimit")]
    for name, value in values.items():
        most = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]  # the box may not raise it
        words.append(f"--{name}={int(value) if most == resource.RLIM_INFINITY else min(int(value), most)}")
    return words


def _flags(flag: str, values: Iterable) -> list[str]:
    return [word for value in values for word in (flag, *value)]

"""The system calls that a box may not make, as a filter for bubblewrap (`--seccomp`), and an empty keyring.

What is refused either passes the walls of a namespace (the keys of the system's kernel, sockets of other families than
a notebook's), or takes memory that nobody can count to a process (`memfd_create`, segments and queues of System V), or
opens parts of the kernel that no notebook needs and that had many holes. seccomp(2) has the format: Linux looks at each
call with a small program of the Berkeley Packet Filter.
"""

import ctypes
import os
import platform
import struct

# Numbers by architecture: /usr/include/asm/unistd_64.h, asm-generic/unistd.h.
REFUSED = {
    "x86_64": {
        "shmget": 29, "msgget": 68, "mq_open": 240, "add_key": 248, "request_key": 249, "keyctl": 250,
        "perf_event_open": 298, "memfd_create": 319, "bpf": 321, "userfaultfd": 323,
    },
    "aarch64": {
        "mq_open": 180, "msgget": 186, "shmget": 194, "add_key": 217, "request_key": 218, "keyctl": 219,
        "perf_event_open": 241, "memfd_create": 279, "bpf": 280, "userfaultfd": 282,
    },
}  # fmt: skip
EVERYWHERE = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "memfd_secret": 447}
SOCKETS = {"x86_64": (41, 53), "aarch64": (198, 199)}  # socket, socketpair
FAMILIES = (1, 2, 10, 16)  # UNIX, INET, INET6, NETLINK: what Python and Jupyter use
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_...
_KEYCTL = {machine: numbers["keyctl"] for machine, numbers in REFUSED.items()}
_JOIN_SESSION_KEYRING = 1
_X32 = 0x40000000  # calls of the x32 interface, which have numbers of their own
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; numbers are little-endian on both
_ALLOW, _REFUSE, _END = 0x7FFF0000, 0x00050001, 0x80000000  # errno 1 is EPERM; _END ends the process


def filter_program(machine: str | None = None) -> bytes | None:
    """The filter, an array of `struct sock_filter`; None for a machine whose numbers are not known here."""
    machine = machine or platform.machine()
    if machine not in REFUSED:
        return None
    refused = sorted({**REFUSED[machine], **EVERYWHERE}.values())
    steps = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, _ARCHITECTURE[machine]), (_RETURN, 0, 0, _END)]
    steps += [(_LOAD, 0, 0, _NUMBER)]
    if machine == "x86_64":
        steps += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for number in refused:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    # Two numbers lead to a look at the family, all others are allowed.
    steps += [(_EQUAL, 2, 0, SOCKETS[machine][0]), (_EQUAL, 1, 0, SOCKETS[machine][1]), (_RETURN, 0, 0, _ALLOW)]
    steps += [(_LOAD, 0, 0, _FIRST_ARGUMENT)]
    for family in FAMILIES:
        steps += [(_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    steps += [(_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def open_filter() -> int | None:
    """A descriptor to read the filter from, which a box inherits; None where there is no filter for this machine."""
    program = filter_program()
    if program is None:
        return None
    reading, writing = os.pipe()  # it holds far more than the filter's few hundred bytes
    os.write(writing, program)
    os.close(writing)
    return reading


def join_empty_keyring() -> None:
    """Gives this thread, and what it starts from now on, a session keyring of its own: a login's keys are in the other.

    Does nothing where the system's kernel has no keys.
    """
    number = _KEYCTL.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None).syscall(number, _JOIN_SESSION_KEYRING, None)

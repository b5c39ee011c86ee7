"""Looks at the box from within, and prints `holds` where it does."""

import os
import socket
import sys


def find_hole() -> str | None:
    """The first thing that should not be possible and is; None where the box holds."""
    with open("/proc/self/status") as file:
        status = dict(line.split(":\t", 1) for line in file if ":\t" in line)
    if int(status["CapEff"], 16) or int(status["CapBnd"], 16):
        return "the box has privileges"
    if status.get("Seccomp", "0").strip() != "2":
        return "no filter of system calls is at work (it is known for x86_64 and aarch64)"
    for place in sys.argv[1:]:
        if os.path.lexists(place):
            return f"{place} can be reached"
    for folder in ("/", "/usr", "/dev", "/box"):
        try:
            open(f"{folder}/probe", "x").close()
        except OSError:
            continue
        return f"{folder} can be written to"
    if os.getpid() != 1 and os.getppid() > 1:
        return "processes outside can be seen"
    if [name for _, name in socket.if_nameindex() if name != "lo"]:
        return "the box has a network"
    try:
        socket.create_connection(("127.0.0.1", 22), timeout=1)
    except OSError:
        pass
    else:
        return "the machine's own ports can be reached"
    return None


if __name__ == "__main__":
    hole = find_hole()
    print(hole or "holds")
    sys.exit(bool(hole))

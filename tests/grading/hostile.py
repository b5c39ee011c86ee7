"""Submissions that attack the grader, or are defective: for each kind the notebook file's content.

Words in capitals are filled in: TOKEN names files and processes, PORT is a server that waits on this machine, PLACES
are folders outside the box, and CANARY is what another learner handed in.
"""

import json
import platform
from collections.abc import Iterator

import nbformat

from tests.grading.tiny_lab import SOLVED_PREDICTIONS, make_notebook
from tlgrade import syscalls

# Whatever an attack finds is handed in as "found": a forged file of predictions would need the ids' breeds.
OUT = "import os\nout = os.environ['TLHELPERS_LAB_OUT'] + '/predictions.csv'\n"
HEADER = "id,first,second,third,species\\n"
SEARCH = """
import glob
def files():
    for place in [*PLACES, '/lab', '/home', '/box', '/data', '/out', '/var', '/srv', '/root', '/proc/1/cwd']:
        for folder, _, names in os.walk(place):
            if '/env/' not in folder and 'site-packages' not in folder and '/.pyenv' not in folder:
                yield from (folder + '/' + name for name in names)
    yield from glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline') + glob.glob('/tmp/*')
def content(path):
    try:
        return open(path, 'rb').read(1_000_000)
    except OSError:
        return b''
"""


def call(name: str, arguments: str) -> list[str]:
    """A cell that needs a system call which a box refuses."""
    number = {**syscalls.REFUSED.get(platform.machine(), {}), **syscalls.EVERYWHERE}.get(name, -1)
    return [f"import ctypes\nassert ctypes.CDLL(None).syscall({number}, {arguments}) >= 0"]


CALLS = {
    "a key for the next": call("add_key", "b'user', b'TOKEN', b'y', 1, -3"),
    "the grader's keys": call("keyctl", "0, -3, 0"),
    "io_uring": call("io_uring_setup", "4, ctypes.create_string_buffer(200)"),
    "userfaultfd": call("userfaultfd", "1"),
    "memory in no file": call("memfd_create", "b'x', 0"),
    "memory of System V": call("shmget", "0, 1000, 0o1600"),
    "messages of System V": call("msgget", "0, 0o1600"),
    "another family of sockets": ["import socket\nsocket.socket(40, socket.SOCK_STREAM)"],  # AF_VSOCK
}  # fmt: skip
FOUND_NOTHING = ("search for labels", "search for other submissions", "the answers' module", "the grader's code",
                 "loopback", "external network", "ptrace", "a box in the box", "changing the lab's data",
                 *CALLS)  # fmt: skip
# What may depend on how a kernel came into its box: started in it, or forked from a template in another.
STARTED_OR_FORKED = (*FOUND_NOTHING, "os._exit", "listening socket", "fork bomb", "daemons", "memory",
                     "memory in many processes", "disk", "symlink to the lab", "kill of everything", "writing outside",
                     "closed descriptors")  # fmt: skip
CELLS = {
    "endless loop": ["while True: pass"],
    "ignored interrupt": ["import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"],
    "os._exit": ["import os\nos._exit(0)"],
    "sleep": ["import time\ntime.sleep(10_000)"],
    "input transformer": ["get_ipython().input_transformers_post.append(lambda lines: ['pass'])", "assert False"],
    "patched traceback": [
        "ip = get_ipython()\nip.showtraceback = lambda *a, **k: None\nip._showtraceback = ip.showtraceback",
        "raise RuntimeError",
    ],
    "search for labels": [
        OUT + SEARCH + "found = next(path for path in files() if 'labels' in path and path.endswith('.json'))\n"
        "open(out, 'w').write('found ' + open(found).read())"
    ],
    "search for other submissions": [
        OUT + SEARCH + "found = next(path for path in files() if b'CANARY' in content(path))\n"
        "open(out, 'w').write('found ' + found)"
    ],
    "the answers' module": ["from tlgrade import cases\ncases.reference('class_balance', [[0], 1])"],
    "the grader's code": ["from tlgrade import functions"],
    "loopback": ["import socket\nsocket.create_connection(('127.0.0.1', PORT), timeout=3).sendall(b'TOKEN')"],
    "external network": [OUT + "import socket\nsocket.create_connection(('1.1.1.1', 53), timeout=3)\nopen(out, 'w')"],
    "listening socket": [
        "import socket, subprocess\ns = socket.socket()\ns.bind(('0.0.0.0', 0))\ns.listen()\nos = s.accept()",
    ],
    "fork bomb": ["import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"],
    "daemons": [
        "import os, subprocess\nfor _ in range(20):\n"
        "    subprocess.Popen(['setsid', 'bash', '-c', 'exec -a TOKEN sleep 3000'], start_new_session=True)"
    ],
    "memory": ["blocks = []\nwhile True:\n    blocks.append(bytearray(50_000_000))"],
    "memory in many processes": [
        "import os\nfor _ in range(8):\n    if os.fork() == 0:\n        block = bytearray(200_000_000)\n"
        "        while True: pass\nwhile True: pass"
    ],
    "disk": [
        OUT + "import itertools\nfor i in itertools.count():\n"
        "    for folder in (os.environ['HOME'], '/tmp', '/dev/shm', os.path.dirname(out)):\n"
        "        try:\n            open(f'{folder}/{i}', 'wb').write(bytes(20_000_000))\n        except OSError:\n"
        "            pass\n    if i > 40: raise SystemExit"
    ],
    "300 MB of output": ["for _ in range(300):\n    print('x' * 1_000_000)"],
    "300 MB in one message": ["print('x' * 300_000_000)"],
    "output past the kernel": ["import os\nwhile True:\n    os.write(1, b'x' * 100_000)"],
    "symlink": [OUT + "os.symlink('/etc/passwd', out)"],
    "symlink to the lab": [OUT + "os.symlink('PLACE/labels.json', out)"],
    "FIFO": [OUT + "os.mkfifo(out)"],
    "directory": [OUT + "os.mkdir(out)"],
    "socket file": [OUT + "import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind(out)"],
    "sparse file": [OUT + "open(out, 'w').truncate(1_000_000_000)"],
    "pickle": [
        OUT + "import pickle\nclass Bomb:\n"
        "    def __reduce__(self):\n        return os.system, ('touch PLACE/TOKEN',)\n"
        "pickle.dump(Bomb(), open(out, 'wb'))"
    ],
    "wrong ids": [SOLVED_PREDICTIONS.replace("[name, *", "['0' * 16, *")],
    "too few rows": [SOLVED_PREDICTIONS.replace('hidden["images"])', 'hidden["images"][:3])').replace("zip(", "zip(")],
    "NaN": [SOLVED_PREDICTIONS.replace('about["breeds"][i]', 'float("nan")')],
    "formula": [SOLVED_PREDICTIONS.replace('about["breeds"][i]', "'=HYPERLINK(\"http://x\")'")],
    "script": [SOLVED_PREDICTIONS.replace('about["breeds"][i]', "'<script>alert(1)</script>'")],
    "binary": [OUT + "open(out, 'wb').write(bytes(range(256)) * 100)"],
    "many columns": [OUT + f"open(out, 'w').write('{HEADER}' + ',' * 5_000_000)"],
    "kill of everything": ["import os, signal\nfor pid in range(2, 100_000):\n    try:\n        os.kill(pid, 9)\n"
                           "    except OSError:\n        pass\nos.kill(-1, 9)"],
    "ptrace": [
        OUT + "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def command(p):\n    try:\n        return open(f'/proc/{p}/cmdline').read()\n"
        "    except OSError:\n        return ''\n"
        "seen = [int(p) for p in os.listdir('/proc') if p.isdigit() and 'tlgrade.client' in command(p)]\n"
        "seen = [p for p in seen if libc.ptrace(16, p, 0, 0) == 0 and os.waitpid(p, 0x40000000)]\n"
        "assert seen\nassert all(libc.ptrace(17, p, 0, 0) == 0 for p in seen)"
    ],
    # Asked from a process with one thread: with more of them the system refuses it everywhere.
    "a box in the box": [
        "import subprocess, sys\ncode = 'import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000) != 0)'\n"
        "assert subprocess.run([sys.executable, '-c', code]).returncode == 0"
    ],
    **CALLS,
    "busy neighbours": [
        "import subprocess, sys\nfor _ in range(40):\n"
        "    subprocess.Popen([sys.executable, '-c', 'while True: pass'], start_new_session=True)\nwhile True: pass"
    ],
    "a stopped kernel": ["import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nos.kill(1, signal.SIGSTOP)"],
    "a core": ["import os\nos.abort()"],
    "another shell": ["%%bash\necho found > $TLHELPERS_LAB_OUT/predictions.csv"],
    "empty lines": [OUT + f"open(out, 'w').write('{HEADER}' + '\\n' * 30_000_000)"],
    "one long line": [OUT + f"open(out, 'w').write('{HEADER}' + 'x' * 30_000_000)"],
    "millions of rows": [OUT + f"open(out, 'w').write('{HEADER}' + 'a,b,c,d,e\\n' * 3_000_000)"],
    "ids that speak": [SOLVED_PREDICTIONS.replace("[name, *", "['secret ' + str(image.ravel().tolist()), *")],
    "a species that speaks": [
        SOLVED_PREDICTIONS.replace('about["species"][order[0]]', "'secret ' + str(image.ravel().tolist())")
    ],
    "writing outside": [
        "import os\nfor folder in [*PLACES, '/', '/usr', '/etc', '/root', '/home', '/box', '/lab/data', '/tmp/..']:\n"
        "    try:\n        open(folder + '/TOKEN', 'w').write('x')\n    except OSError:\n        pass"
    ],
    "changing the lab's data": [OUT + "open(os.environ['TLHELPERS_LAB_DATA'] + '/hidden.npz', 'wb').write(b'')"],
    "closed descriptors": ["import os\nos.closerange(3, 2000)"],
    "forged messages": [
        "kernel = get_ipython().kernel\nfor _ in range(2000):\n"
        "    kernel.iopub_socket.send_multipart([b'<IDS|MSG>', b'', b'{}', b'{}', b'{}', b'{}'])",
        "kernel.shell_stream = None\nkernel.session.key = b'another'",
    ],
    "a deep folder": ["import os\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')"],
    "absent artefact": ["print('done')"],
}  # fmt: skip
FUNCTIONS = {
    "always equal": (
        "class Same:\n    def __eq__(self, other): return True\n    def __iter__(self): return iter(())\n"
        "def class_balance(labels, num_classes): return Same()"
    ),
    "always equal list": (
        "class Same(list):\n    def __eq__(self, other): return True\n"
        "def class_balance(labels, num_classes): return Same()"
    ),
    "answers from the package": (
        "from tlgrade.cases import reference\n"
        "def class_balance(*arguments): return reference('class_balance', list(arguments))"
    ),
    "answers from the caller": (
        "import sys, gc\ndef class_balance(labels, num_classes):\n"
        "    return next(o['expected'] for o in gc.get_objects() if isinstance(o, dict) and 'expected' in o)"
    ),
    "forged answers": (
        "import os\nos.makedirs('/out/final.json', exist_ok=True)\n"
        "open('/out/balance.json', 'w').write('{\"answers\": [{\"value\": true}]}')\nos._exit(0)"
    ),
    "a function that kills": "import os\nos.kill(os.getppid(), 9)\nos.kill(-1, 9)",
    "an error that speaks": (
        "def class_balance(labels, num_classes):\n"
        "    raise type('Secret' + '_'.join(map(str, labels)), (Exception,), {})()"
    ),
    "a name that speaks": (
        "def class_balance(labels, num_classes):\n    raise NameError('x', name='secret_' + '_'.join(map(str, labels)))"
    ),
    "a cell that speaks": "raise type('Secret_of_the_box', (Exception,), {})()",
    "answers from other tasks": (
        "import gc, sys\ndef class_balance(labels, num_classes):\n"
        "    frame = sys._getframe()\n    while frame.f_back: frame = frame.f_back\n"
        "    return [o for o in gc.get_objects() if isinstance(o, dict) and 'cases' in o][1]"
    ),
    "a number that is a set": "def class_balance(labels, num_classes): return {0}",
    "half of everything": "def class_balance(labels, num_classes): return 0.5",
    "a function without end": "def class_balance(labels, num_classes):\n    while True: pass",
}


def hostile_notebooks(token: str, port: int, places: list[str], canary: str) -> Iterator[tuple[str, bytes]]:
    """Kinds, and for each the notebook file's content."""

    def fill(text: str) -> str:
        filled = text.replace("PLACES", repr(places)).replace("PLACE", places[-1]).replace("PORT", str(port))
        return filled.replace("TOKEN", token).replace("CANARY", canary)

    for kind, cells in CELLS.items():
        yield kind, make_notebook(*map(fill, cells), function=None)
    for kind, function in FUNCTIONS.items():
        yield kind, make_notebook(function=function)
    yield "deleted cells", make_notebook(function=None)
    yield "edited checks", make_notebook("assert True", "print('4 of 4 points')", function="class_balance = None")
    yield "forged outputs", _with_forged_outputs()
    yield "no JSON", b"\x00\x01 this is no notebook {"
    yield "JSON of another kind", json.dumps({"points": 4}).encode()
    yield "nested JSON", b'{"cells": ' + b"[" * 200_000
    yield "another kernel", _with_kernelspec()
    yield "deep metadata", _edited(lambda node: node["metadata"].update(deep=_deep(600)))
    yield "a million outputs", _edited(lambda node: node["cells"][0].update(outputs=[{"x": {}}] * 300_000))
    yield "cells of no kind", _edited(lambda node: node["cells"].extend([3, None, {"cell_type": "spell"}, []]))
    yield "a version of its own", _edited(lambda node: node.update(nbformat=99, nbformat_minor=-1))
    yield "a hundred thousand cells", _edited(lambda node: node["cells"].extend([{"cell_type": "raw"}] * 100_000))
    yield "UTF-32", make_notebook(function=None).decode().encode("utf-32")


def _edited(change) -> bytes:
    node = json.loads(make_notebook(function=None))
    node["cells"] = [{"cell_type": "code", "source": "1 + 1", "metadata": {}, "outputs": [], "execution_count": None}]
    change(node)
    return json.dumps(node).encode()


def _deep(levels: int) -> dict:
    node: dict = {}
    for _ in range(levels):
        node = {"deep": node}
    return node


def _with_forged_outputs() -> bytes:
    node = nbformat.reads(make_notebook("1 + 1", function=None).decode(), as_version=4)
    node.cells[-1].outputs = [nbformat.v4.new_output("stream", text="score: 4 of 4")]
    node.metadata["points"] = 4
    return nbformat.writes(node).encode()


def _with_kernelspec() -> bytes:
    node = nbformat.reads(make_notebook(function=None).decode(), as_version=4)
    node.metadata["kernelspec"] = {"name": "../../evil", "display_name": "evil", "language": "sh"}
    return nbformat.writes(node).encode()

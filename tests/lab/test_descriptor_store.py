# SPDX-License-Identifier: MIT
"""The command tools/descriptor_store.py: what a program has stored, the next one of its kind has."""
import os
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STORE = os.path.join(TOP, "tools", "descriptor_store.py")
END_S = 30

# The first stores both ends of a pipe, one of them twice, and is killed; the second writes into the one, reads from
# the other, has one removed, and ends by itself.
PROGRAM = """
import array, os, signal, socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.connect(os.environ["NOTIFY_SOCKET"])
def tell(text, *fds):
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    manager.sendmsg([text.encode()], ancillary)
print("began", os.getpid(), flush=True)
print("reports", file=sys.stderr)
if "LISTEN_FDS" not in os.environ:
    assert int(os.environ["FDSTORE"]) > 100
    reader, writer = os.pipe()
    for name, fd in (("reader", reader), ("writer", writer), ("again", reader)):
        tell(f"FDSTORE=1\\nFDPOLL=0\\nFDNAME={name}", fd)
    os.kill(os.getpid(), signal.SIGKILL)
assert int(os.environ["LISTEN_PID"]) == os.getpid()
at = {name: 3 + number for number, name in enumerate(os.environ["LISTEN_FDNAMES"].split(":"))}
assert len(at) == int(os.environ["LISTEN_FDS"])
os.write(at["writer"], b"kept")
print(sorted(at), os.read(at["reader"], 9), flush=True)
tell("FDSTOREREMOVE=1\\nFDNAME=reader")
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("status", [0, 75])
def test_the_next_one_has_it(tmp_path, status):
    folder = tmp_path / "manager"
    done = subprocess.run([sys.executable, "-I", STORE, folder, sys.executable, "-c", PROGRAM, str(status)],
                          text=True, capture_output=True, timeout=END_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
    said = (folder / "out").read_text().splitlines()
    assert said == [f"began {(folder / 'pid').read_text().strip()}", "['reader', 'writer'] b'kept'"]
    assert (folder / "err").read_text() == "reports\nreports\n"
    assert (folder / "names").read_text() == ""


def test_usage():
    done = subprocess.run([sys.executable, "-I", STORE, "folder"], text=True, capture_output=True, timeout=END_S, check=False)
    assert done.returncode == 1 and "usage" in done.stderr

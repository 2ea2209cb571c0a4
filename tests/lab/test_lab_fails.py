# SPDX-License-Identifier: MIT
"""The lab fails: what it says, and what it leaves."""
import contextlib
import json
import os
import re
import signal
import subprocess
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAB = os.path.join(TOP, "tools", "lab", "lab")
BOOT_S, END_S, FETCH_S = 120, 60, 300
ASKS_THE_DEAD = """
import machine, socket, subprocess, sys
guest = machine.Guest.__new__(machine.Guest)
guest.process = subprocess.Popen(["true"])
guest.process.wait()
guest.pending, guest.log, guest.console_log = b"", "", ""
guest.port, its_end = socket.socketpair()
if int(sys.argv[1]):
    guest.port.send(b"unread")
its_end.close()
guest.sh("true")
"""
# The lab is ended while it asks the guest. What cleans up asks once more, and only then the guest answers the
# first question.
IS_ENDED_WHILE_IT_ASKS = """
import json, machine, signal, socket
lab = machine.Lab.__new__(machine.Lab)
lab.guest = guest = machine.Guest.__new__(machine.Guest)
guest.pending = b""
guest.port, its_end = socket.socketpair()
def end(*_):
    its_end.send(json.dumps({"code": 1, "out": "", "err": "of the first"}).encode() + bytes([10]))
    lab.over(SystemExit(9))
signal.signal(signal.SIGALRM, end)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    guest.sh("first")
finally:
    guest.sh("second")
"""
SPREADS_ANOTHER_PROGRAM = """
import machine, subprocess
guest = machine.Guest.__new__(machine.Guest)
guest.process = subprocess.Popen(["sleep", "20"])
try:
    guest.spread()
finally:
    guest.process.kill()
    guest.process.wait()
"""
HAS_VIRTUAL_PROCESSORS = """
import json, machine, os, threading, types
named = threading.Barrier(machine.CPUS + 1)
def processor(number):
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as file:
        file.write(f"CPU {number}/TCG")
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
    named.wait()
    threading.Event().wait()
threads = [threading.Thread(target=processor, args=[number], daemon=True) for number in range(machine.CPUS)]
for thread in threads:
    thread.start()
named.wait()
guest = machine.Guest.__new__(machine.Guest)
guest.process = types.SimpleNamespace(pid=os.getpid())
guest.spread()
def scheduling():
    return [[os.sched_getscheduler(thread.native_id), os.getpriority(os.PRIO_PROCESS, thread.native_id)]
            for thread in threads]
before = scheduling()
with guest.giving_way():
    during = [policy for policy, _ in scheduling()]
    others = os.sched_getscheduler(os.getpid())
print(json.dumps({"during": during, "others": others, "before": before, "afterwards": scheduling(),
                  "on": [[*os.sched_getaffinity(thread.native_id)] for thread in threads]}))
"""
# A virtual processor with the given "nice" value that always runs, beside another program that always runs.
IS_BESIDE_ANOTHER = """
import contained, machine, os, subprocess, sys, time, types
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
with open("/proc/self/comm", "w") as file:
    file.write("CPU 0/TCG")
other = subprocess.Popen(["sh", "-c", "while :; do :; done"], preexec_fn=contained.die_with_parent)
try:
    if sys.argv[1] == "last":
        os.setpriority(os.PRIO_PROCESS, 0, 19)
    else:  # whatever else runs on this machine
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    end = time.monotonic() + 3
    while time.monotonic() < end:
        pass
finally:
    other.kill()
    other.wait()
guest = machine.Guest.__new__(machine.Guest)
guest.process = types.SimpleNamespace(pid=os.getpid())
guest.log = guest.console_log = ""
print(guest.reason())
"""
# A filter of system calls, set by the program that becomes the lab.
WITHOUT_MEMFD = """
import errno, os, seccomp, sys
filter = seccomp.SyscallFilter(seccomp.ALLOW)
filter.add_rule(seccomp.ERRNO(errno.ENOSYS), "memfd_create")
filter.load()
os.execv(sys.argv[1], sys.argv[1:])
"""


def lab(*words, prefix=(), timeout=END_S, **more):
    return subprocess.run([*prefix, LAB, *words], text=True, capture_output=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False, **more)


def said_once(done, code, *texts):
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for text in texts:
        assert text in done.stderr


def test_unknown_scenario():
    said_once(lab("nonsense"), 2, "invalid choice: 'nonsense'", "kernel")


def test_unknown_kernel():
    said_once(lab("kernel", "--kernel", "2.6"), 2, "invalid choice: '2.6'", "6.12")


@pytest.mark.parametrize("text", ["0", "-1", "soon"])
def test_deadline_is_a_number_of_seconds(text):
    said_once(lab("kernel", f"--deadline={text}"), 2, "--deadline")


def test_cache_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    said_once(lab("kernel", "--cache", str(tmp_path / "file" / "cache")), 1, "Not a directory",
              "name another with --cache")


def test_result_says_that_nothing_was_tested(tmp_path):
    (tmp_path / "file").write_text("")
    lab("vfio", "--cache", str(tmp_path / "file" / "cache"), "--json", str(tmp_path / "json"))
    said = json.loads((tmp_path / "json").read_text())
    assert said["scenario"] == "vfio" and said["unavailable"] and "--cache" in said["error"]


def test_disk_is_full(tmp_path):
    done = lab("kernel", "--cache", str(tmp_path),
               prefix=("unshare", "-m", "sh", "-c",
                       f'mount -t tmpfs -o size=64M cache {tmp_path} && exec "$@"', "sh"))
    said_once(done, 1, "64 MiB are free", "name another with --cache")
    assert not os.listdir(tmp_path)


KNOWS_A_MIRROR = "#!/bin/sh\necho Debian http://mirror.example/\n"
FILLS_THE_DISK = """#!/bin/sh
for word; do case $word in */tools.partial) mkdir "$word" && exec dd if=/dev/zero bs=1M of="$word/file" ;; esac; done
"""


def test_disk_fills_up(tmp_path):
    """The disk looks large enough and is not. What was begun is removed again."""
    cache, programs = tmp_path / "cache", tmp_path / "bin"
    cache.mkdir()
    programs.mkdir()
    for name, text in (("mmdebstrap", FILLS_THE_DISK), ("apt-get", KNOWS_A_MIRROR)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    done = lab("kernel", "--cache", str(cache), timeout=300, prefix=(
        "unshare", "-m", "sh", "-c",
        f'mount -t tmpfs -o size=1100M cache {cache} && "$@"; code=$?; ls {cache}; exit $code',
        "sh"), env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"})
    said_once(done, 1, "No space left on device")
    assert done.stdout.split()[-1] == "lock"
    assert "partial" not in done.stdout


def test_no_mirror(tmp_path):
    """apt knows no mirror. Its lists are the test's own: an update without a source empties them."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "lists").mkdir()
    (tmp_path / "apt.conf").write_text(f'Dir::Etc::SourceList "{tmp_path}/none";\n'
                                       f'Dir::State::Lists "{tmp_path}/lists";\n'
                                       f'Dir::Etc::SourceParts "{tmp_path}/sources";\n')
    done = lab("kernel", "--cache", str(tmp_path / "cache"),
               env={**os.environ, "APT_CONFIG": str(tmp_path / "apt.conf")})
    said_once(done, 1, "apt knows no Debian mirror", "apt-get update")
    assert os.listdir(tmp_path / "cache") == ["lock"]


def test_mirror_does_not_answer(tmp_path):
    done = subprocess.run(
        ["/usr/bin/python3", "-c", "import store; store.mirror = lambda: 'http://127.0.0.1:9/debian'\n"
         f"store.Store('{tmp_path}', print).tools()"], text=True, capture_output=True, timeout=300,
        stdin=subprocess.DEVNULL, check=False,
        env={**os.environ, "PYTHONPATH": f"{TOP}/tools/lab"})
    assert "Unavailable: no busybox-static, qemu-system-x86 from Debian's trixie" in done.stderr
    assert "is the mirror reachable?" in done.stderr
    assert os.listdir(tmp_path) == ["lock"]


@pytest.fixture(scope="session")
def filled():
    """QEMU and a kernel are in the cache."""
    done = lab("kernel", "--fetch", timeout=FETCH_S)
    if done.returncode != 0:
        pytest.skip(done.stderr.strip())


def test_no_memfd(filled):
    done = lab("kernel", prefix=("/usr/bin/python3", "-c", WITHOUT_MEMFD), timeout=BOOT_S)
    said_once(done, 1, "makes no memfd", "Function not implemented")


# ---- A guest that ends, or hangs ----

def children(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            for child in map(int, file.read().split()):
                yield child
                yield from children(child)


def command_of(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            return file.read().split("\0")[0]
    return ""


@contextlib.contextmanager
def running(*words):
    """The lab once its guest is up, and the processes of QEMU."""
    with subprocess.Popen([LAB, "kernel", *words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            up = False
            for line in process.stdout:
                if "guest kernel" in line:
                    up = True
                    break
            assert up, process.stderr.read()
            yield process, [pid for pid in children(process.pid)
                            if "qemu-system" in command_of(pid)]
        finally:
            if process.poll() is None:
                process.terminate()


def gone(pids):
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        assert time.monotonic() < deadline, f"still there: {pids}"
        time.sleep(0.05)


def test_guest_hangs(filled):
    with running("--deadline", "30") as (process, qemu):
        everything = list(children(process.pid))
        for pid in qemu:
            os.kill(pid, signal.SIGSTOP)
        out, err = process.communicate(timeout=BOOT_S)
    assert process.returncode == 1
    assert "not done after 30 s" in out + err
    assert "console.log" in out + err
    gone(everything)


def in_the_lab(*words):
    return subprocess.run(["/usr/bin/python3", "-c", *words], text=True, capture_output=True,
                          timeout=END_S, check=False,
                          env={**os.environ, "PYTHONPATH": f"{TOP}/tools/lab:{TOP}/tools"})


@pytest.mark.parametrize("unread", [False, True])
def test_guest_ends_between_questions(unread):
    """The guest's end of the port is gone: the next question cannot be sent, or a reset is its answer."""
    done = in_the_lab(ASKS_THE_DEAD, str(int(unread)))
    assert "Dead: the guest ended (true)" in done.stderr


def test_lab_that_is_ended_while_it_asks():
    """No check may take the answer to another question for its own."""
    done = in_the_lab(IS_ENDED_WHILE_IT_ASKS)
    assert (done.returncode, done.stderr) == (9, "")


def test_virtual_processors_that_are_not_found():
    done = in_the_lab(SPREADS_ANOTHER_PROGRAM)
    assert "Failure: 0 of QEMU's threads are named like a virtual processor" in done.stderr


def test_virtual_processors_are_spread_and_give_way():
    done = in_the_lab(HAS_VIRTUAL_PROCESSORS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    ours = sorted(os.sched_getaffinity(0))
    usual = [[os.SCHED_OTHER, 15]] * 2
    assert found == {"during": [os.SCHED_IDLE] * 2, "others": os.SCHED_OTHER, "before": usual, "afterwards": usual,
                     "on": [[ours[number % len(ours)]] for number in range(2)]}


def test_guest_that_gets_no_processor():
    done = in_the_lab(IS_BESIDE_ANOTHER, "last")
    assert done.returncode == 0, done.stderr
    ran, waited = map(int, re.search(r"processors ran (\d+) s and waited (\d+) s for ours", done.stdout).groups())
    assert ran <= 1 and waited >= 2


def test_guest_that_gets_its_processors():
    done = in_the_lab(IS_BESIDE_ANOTHER, "first")
    assert done.returncode == 0, done.stderr
    assert not done.stdout.strip()


def test_guest_ends(filled):
    with running() as (process, qemu):
        everything = list(children(process.pid))
        for pid in qemu:
            os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=BOOT_S)
    assert process.returncode == 1
    assert "the guest ended" in out + err
    gone(everything)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_lab_is_ended(filled, number):
    with running() as (process, qemu):
        assert qemu
        everything = list(children(process.pid))
        process.send_signal(number)
        process.communicate(timeout=END_S)
    assert process.returncode in (128 + number, -number)
    gone(everything)

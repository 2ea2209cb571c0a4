#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs something where all that it leaves behind goes away with it.

What runs here has namespaces of its own for network, mounts and processes, and an empty /run. When
it ends, however it ends (kill -9 included), the kernel removes what is in them: processes,
interfaces, named network namespaces, sockets in /run.

    contained.py REPORT COMMAND...

runs a command so, and writes to the file REPORT what is there after it has ended and was not
before, one thing a line. The exit status is that of the command.
"""
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import traceback

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
# Under nohup the terminal's end is nobody's business.
SIGNALS = (signal.SIGINT, signal.SIGTERM,
           *([] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGHUP]))
GRACE_S = 2.0  # for processes that are about to end

pid_outside = None  # of contained()'s process 1, for those who want to enter its namespaces
libc = ctypes.CDLL(None, use_errno=True)


def end_by(program, reason):
    """Ends a program by an OSError that it could not mend: often the reader of its output is gone, or there is
    no room for it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python's last flush would fail, too
    sys.exit(f"{program}: {reason.filename + ': ' if reason.filename else ''}{reason.strerror}")


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def printable(text):
    """Text of others on one line, as bridge/service/printable.h has it: \\xHH for each byte of what is not
    UTF-8, of a control character, or of a backslash."""
    return "".join("".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
                   if character < " " or "\x7f" <= character < "\xa0" or character == "\\" or
                   "\udc80" <= character <= "\udcff" else character for character in text)


def speak_to_any():
    """Whatever the locale: a character that a stream cannot write is escaped, and not a program's end."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")


def die_with_parent():
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def prepare():
    """What a new mount and network namespace lack."""
    for mount in (["--make-rprivate", "/"], ["-t", "proc", "proc", "/proc"],
                  ["-t", "sysfs", "sysfs", "/sys"], ["-t", "tmpfs", "tmpfs", "/run"]):
        done = subprocess.run(["mount", *mount], text=True, errors="backslashreplace",
                              capture_output=True, check=False)
        if done.returncode != 0:
            print(f"cannot set up namespaces of our own: {done.stderr.splitlines()[0]} (a chroot's root "
                  "must be a mount point: bind it onto itself)", file=sys.stderr)
            sys.exit(1)
    os.makedirs("/run/netns")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def contained(run):
    """The exit status of `run()`, called as process 1 of new namespaces; needs root. SIGINT, SIGTERM
    and SIGHUP sent to the caller reach it once; they do nothing to it unless it handles them."""
    sys.stdout.flush()
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET), "unshare")
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            die_with_parent()
            os.setpgid(0, 0)  # the terminal's Ctrl-C comes from the parent, as all signals do
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            global pid_outside
            pid_outside = int(os.readlink("/proc/self"))  # /proc is still that of outside
            prepare()
            code = run()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:  # nobody is above us to show it
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):
                    stream.flush()
            os._exit(code)
    for number in SIGNALS:
        signal.signal(number, lambda number, _: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


def processes():
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                words = os.fsdecode(cmdline.read()).replace("\0", " ").strip()
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                state = stat.read().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it ended just now
        if state not in "ZX":
            found.add(f"process {pid}: {words}")
    return found


def inventory():
    links = {f"interface {name}" for name in os.listdir("/sys/class/net")}
    files = {f"file {os.path.join(folder, name)}"
             for folder, _, names in os.walk("/run") for name in names}
    return processes() | links | files


def wait_for(pid):
    """Waits for `pid`; as process 1 we bury everybody else's orphans too."""
    while True:
        done, status = os.wait()
        if done == pid:
            return os.waitstatus_to_exitcode(status)


def left_behind(before):
    deadline = time.monotonic() + GRACE_S
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        left = inventory() - before
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def run_and_report(report, command):
    before = inventory()
    child = subprocess.Popen(command)
    for number in SIGNALS:
        signal.signal(number, lambda number, _: os.kill(child.pid, number))
    code = wait_for(child.pid)
    with open(report, "w", encoding="utf-8") as out:
        out.writelines(f"{printable(line)}\n" for line in sorted(left_behind(before)))
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    speak_to_any()
    sys.exit(contained(lambda: run_and_report(sys.argv[1], sys.argv[2:])))

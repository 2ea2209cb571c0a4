#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Process 1 of the guest: runs what the host asks for over a virtio port.

A request is a line of JSON, {"run": "a shell command", "timeout": seconds}. Its reply is a line too,
{"code": its exit status, "out": ..., "err": ...}. A command that is not done in time is killed
with all that it started, and its code is 124, as with timeout(1). {"shell": true} gives the
console a shell; the reply comes when the shell ends. After the end of file or an error the guest
powers off.
"""
import ctypes
import glob
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback

PORT = "ixtap-lab"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "HOME": "/tmp", "LC_ALL": "C.UTF-8", "TERM": "linux"}
TIMED_OUT = 124
RB_POWER_OFF = 0x4321FEDC


def port_path():
    """The device of our port. It may appear a moment after we start."""
    for _ in range(1000):
        for name in glob.glob("/sys/class/virtio-ports/*/name"):
            with open(name, encoding="ascii") as file:
                if file.read().strip() == PORT:
                    return f"/dev/{name.split('/')[-2]}"
        time.sleep(0.01)
    raise FileNotFoundError(f"no virtio port is named {PORT}")


def bury():
    """Reaps the orphans of commands: process 1 is their parent."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def ends_within(process, timeout):
    """Sleeps until the process ends. Popen.wait() would look twenty times a second, and disturb
    measurements."""
    pidfd = os.pidfd_open(process.pid)
    try:
        return bool(select.select([pidfd], [], [], timeout)[0])
    finally:
        os.close(pidfd)


def run(text, timeout):
    with open("/run/out", "w+b") as out, open("/run/err", "w+b") as err:
        process = subprocess.Popen(["/bin/bash", "-c", text], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=err, env=ENVIRONMENT, start_new_session=True)
        in_time = ends_within(process, timeout)
        if not in_time:
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        if not in_time:
            code = TIMED_OUT
        said = {}
        for key, file in (("out", out), ("err", err)):
            file.seek(0)
            said[key] = file.read().decode(errors="replace")
    bury()
    return {"code": code, **said}


def shell():
    with open("/dev/ttyS0", "r+b", buffering=0) as console:
        subprocess.run(["setsid", "-c", "/bin/bash", "-i"], stdin=console, stdout=console,
                       stderr=console, env=ENVIRONMENT, check=False)
    bury()
    return {"code": 0}


def serve():
    subprocess.run(["ip", "link", "set", "lo", "up"], env=ENVIRONMENT, check=True)
    with open(port_path(), "r+b", buffering=0) as port:
        port.write(json.dumps({"ready": os.uname().release}).encode() + b"\n")
        pending = b""
        while True:
            line, end, rest = pending.partition(b"\n")
            if not end:
                data = port.read(65536)
                if not data:
                    return
                pending += data
                continue
            pending = rest
            request = json.loads(line)
            reply = shell() if "shell" in request else run(request["run"], request["timeout"])
            data = memoryview(json.dumps(reply).encode() + b"\n")
            while data:
                data = data[port.write(data):]


if __name__ == "__main__":
    try:
        serve()
    except Exception:
        traceback.print_exc()
    sys.stderr.flush()
    ctypes.CDLL(None).reboot(ctypes.c_int(RB_POWER_OFF))

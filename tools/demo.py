#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What tools/demo does when the packages are there.

      namespace left                                                namespace right
    +----------------+                                            +----------------+
    | ixtap0         |    TAP +--------+ vfio-user +-------+ TAP  | wire0          |
    | 192.0.2.1/24   |--------| ixtapd |-----------| ixnic |------| 192.0.2.2/24   |
    +----------------+        +--------+           +-------+      +----------------+
      the interface             driver              software        the far end of
      to look at                and bridge          82599           its cable

The set-up lives in namespaces that nobody else sees (contained.py), so nothing of it stays, whatever
happens. With --shell it is made in the open, for you to use.
"""
import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import contained

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("IXTAP_BUILD") or os.path.join(TOP, "build", "demo")
LEFT, RIGHT = "ixtap-left", "ixtap-right"
TAP, WIRE = "ixtap0", "ixtap0-wire"
LEFT_V4, RIGHT_V4 = "192.0.2.1", "192.0.2.2"  # RFC 5737
LEFT_V6, RIGHT_V6 = "2001:db8::1", "2001:db8::2"  # RFC 3849
CONTROL = f"/run/ixtap/{TAP}.sock"
PINGS, PING_INTERVAL_S = 20, 0.1
# The next where too much is lost: datagrams do not wait for a slow or busy machine.
UDP_MBPS = (500, 250, 125)
UDP_BUFFER_MAX = 4 << 20
DEADLINE_S = 15.0
REFRESH_S = 0.25
SETTLE_S = 2.0
KILL_AFTER_S = 1

# ---- What counts as "ok" ----

PING_AVG_MOST_US = 50_000
LEAST_GBPS = 0.05  # a slow machine is no fault
AGAIN_MOST = 0.01  # of the TCP segments
LOST_MOST = 0.01  # of the UDP datagrams
DROPPED_MOST = 0.001  # of all frames: a few are sent before the link is up
MSS = 1448
UDP_RATES = " or ".join(f"{mbps / 1000:g}" for mbps in UDP_MBPS)
LIMITS = f"""A row is ok if
  ping             each is answered once, on average within {PING_AVG_MOST_US // 1000} ms
  TCP              at least {LEAST_GBPS} Gbit/s, at most {AGAIN_MOST:.0%} is retransmitted
  UDP              at least {LEAST_GBPS} Gbit/s, at most {LOST_MOST:.0%} is lost when sent at {UDP_RATES}
  frames           at most {DROPPED_MOST:.1%} is dropped beside UDP's, none unaccounted
  driver killed    the next one goes on with the same rings, and the link and the connection stay
  datasheet rules  none is broken"""


class Failure(Exception):
    """Something the user is told in one line."""


# ---- What the terminal shows ----

LABEL = len("datasheet rules")


class Screen:
    """A table that grows row by row and fits 80 columns. On a terminal the last row may still change."""

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = self.live and not os.environ.get("NO_COLOR")

    def colour(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def line(self, text=""):
        print(f"\r\033[K{text}" if self.live else text, flush=True)

    def progress(self, label, text):
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print("\r\033[K" + f"  {label:<{LABEL}} {text}"[:width], end="", flush=True)

    def row(self, label, value, note, *limits):
        """`limits` are (whether it is kept, how the text goes on when it is not). True if all are kept."""
        broken = [text for kept, text in limits if not kept]
        mark = self.colour("1;31", "FAILED") if broken else self.colour("32", "ok")
        self.line(f"  {label:<{LABEL}} {value:>13}  {note:<38}  {mark}")
        for text in broken:
            self.line(f"  {'':<{LABEL}} {'':>13}  {text}")
        return not broken


if sys.stdout is None:  # our caller has closed it
    sys.stdout = open(os.devnull, "w", encoding="utf-8")
screen = Screen()


def bar(fraction, width=20):
    full = min(width, round(fraction * width))
    return "[" + "#" * full + "." * (width - full) + "]"


# ---- Running things ----

def command(*words, **more):
    """Runs a command. Its error output is the reason of a failure."""
    done = subprocess.run(words, text=True, errors="backslashreplace", capture_output=True, check=False, **more)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise Failure(f"{' '.join(words)}: {reason[-1] if reason else done.returncode}")
    return done.stdout


def inside(namespace, *words):
    return ("ip", "netns", "exec", namespace, *words)


def wait_until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {DEADLINE_S:.0f} s")
        time.sleep(0.02)


@contextlib.contextmanager
def alone_in(folder):
    """Waits until no other build uses the folder."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "demo.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def packages():
    """Installs what is missing, and says so."""
    if subprocess.run([os.path.join(TOP, "tools", "packages"), "build", "demo"], check=False).returncode:
        raise Failure("packages are missing, as said above")


def build():
    if "IXTAP_BUILD" in os.environ:
        return
    screen.progress("build", "waiting for another demo's build")
    with alone_in(os.path.dirname(BUILD)):
        if not os.path.exists(os.path.join(BUILD, "build.ninja")):
            screen.progress("build", "configuring")
            shutil.rmtree(BUILD, ignore_errors=True)
            command("meson", "setup", BUILD, TOP, "-Dbuildtype=release", "-Dtests=disabled")
        output = []
        with subprocess.Popen(["ninja", "-C", BUILD], text=True, errors="backslashreplace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              preexec_fn=contained.die_with_parent) as ninja:
            for text in ninja.stdout:
                output.append(text)
                step = re.match(r"\[(\d+)/(\d+)\]", text)
                if step:
                    done, steps = map(int, step.groups())
                    screen.progress("build", f"{bar(done / steps)} {done} of {steps}")
        if ninja.returncode != 0:
            raise Failure("the build failed:\n" + "".join(output[-20:]))
    screen.progress("build", "done")


def program(name):
    folder = {"ixtapd": "bridge", "ixtap": "tools/ixtap"}[name]
    return os.path.join(BUILD, folder, name)


# ---- The two namespaces and what is between them ----

def carrier(namespace, interface):
    text = command(*inside(namespace, "ip", "-j", "link", "show", "dev", interface))
    return "LOWER_UP" in json.loads(text)[0]["flags"]


def start_daemon(log, own_child):
    """Starts ixtapd and waits until it is ready."""
    daemon = subprocess.Popen(
        [program("ixtapd"), "--nic", f"soft:tap:{WIRE}", "--tap", TAP, "--netns", LEFT,
         "--address", f"{LEFT_V4}/24", "--address", f"{LEFT_V6}/64", "--up", "--control", CONTROL],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
        errors="backslashreplace",
        preexec_fn=contained.die_with_parent if own_child else None, start_new_session=True)
    if daemon.stdout.readline().strip() != "ready":
        daemon.kill()
        daemon.wait()
        log.seek(0)
        lines = log.read().strip().splitlines()
        raise Failure(lines[-1] if lines else f"ixtapd ended with status {daemon.returncode}")
    return daemon


def set_up(log, own_child):
    for namespace in (LEFT, RIGHT):
        command("ip", "netns", "add", namespace)
        command("ip", "-n", namespace, "link", "set", "lo", "up")
    daemon = start_daemon(log, own_child)
    try:
        command("ip", "link", "set", WIRE, "netns", RIGHT)
        # nodad: nobody else can have the address, and looking for a duplicate takes a while.
        command("ip", "-n", RIGHT, "address", "add", f"{RIGHT_V4}/24", "dev", WIRE)
        command("ip", "-n", RIGHT, "address", "add", f"{RIGHT_V6}/64", "dev", WIRE, "nodad")
        command("ip", "-n", RIGHT, "link", "set", WIRE, "up")
        wait_until(lambda: carrier(LEFT, TAP) and carrier(RIGHT, WIRE), "the link comes up")
    except BaseException:
        stop_daemon(daemon)
        raise
    return daemon


def stop_daemon(daemon):
    daemon.terminate()
    try:
        return daemon.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
        raise Failure(f"ixtapd did not stop within {DEADLINE_S:.0f} s of SIGTERM") from None


def ask(path, request):
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as connection:
        connection.settimeout(DEADLINE_S)
        connection.connect(path)
        connection.send(request.encode())
        reply = json.loads(connection.recv(1 << 20))
    if "error" in reply:
        raise Failure(f"{request}: {reply['error']}")
    return reply


def stats():
    return json.loads(command(program("ixtap"), "-j", "--control", CONTROL, "stats"))


# ---- The tests ----

def run_with_progress(words, label, seconds, show):
    """Runs a command and returns its output. Meanwhile show(elapsed) says what to display."""
    started = time.monotonic()
    with subprocess.Popen(words, text=True, errors="backslashreplace", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE,
                          preexec_fn=contained.die_with_parent) as process:
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=REFRESH_S)
                    break
                except subprocess.TimeoutExpired:
                    elapsed = time.monotonic() - started
                    if elapsed > seconds + DEADLINE_S:
                        raise Failure(f"{label}: not done after {elapsed:.0f} s") from None
                    screen.progress(label, show(elapsed))
        except BaseException:
            process.kill()
            raise
    return process.returncode, output, errors


class KillLater:
    def __init__(self, pid, seconds):
        self.pid, self.done = pid, False
        self.timer = threading.Timer(seconds, self.kill)
        self.timer.start()

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            self.done = True

    def close(self):
        self.timer.cancel()
        self.timer.join()


def ping():
    seconds = PINGS * PING_INTERVAL_S
    _, output, errors = run_with_progress(
        inside(LEFT, "ping", "-n", "-c", str(PINGS), "-i", str(PING_INTERVAL_S), "-W", "2", RIGHT_V4),
        "ping", seconds, lambda elapsed: bar(elapsed / seconds))
    counts = re.search(r"(\d+) packets transmitted, (\d+) received(?:, \+(\d+) duplicates)?", output)
    if not counts:
        raise Failure(f"ping: {errors.strip() or output.strip()}")
    times = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)/", output)
    rtt = [round(float(value) * 1000) for value in times.groups()] if times else [None] * 3
    sent, received, duplicates = (int(count or 0) for count in counts.groups())
    note = "{} / {} / {} us min/avg/max".format(*rtt) if times else "no answer"
    good = screen.row("ping", f"{received} of {sent}", note,
                      (received == sent, "all must be answered"),
                      (not duplicates, f"{duplicates} more answers came, each must come once"),
                      (not times or rtt[1] <= PING_AVG_MOST_US,
                       f"on average at most {PING_AVG_MOST_US:,} us"))
    return {"ping_sent": sent, "ping_received": received,
            "ping_rtt_us": dict(zip(("min", "avg", "max"), rtt))}, good


@contextlib.contextmanager
def iperf_server():
    with subprocess.Popen(inside(RIGHT, "nice", "-n", "-10", "iperf3", "-s", "-1", "-B", RIGHT_V4,
                                 "--forceflush"),
                          text=True, errors="backslashreplace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          preexec_fn=contained.die_with_parent) as server:
        try:
            for text in server.stdout:
                if "listening" in text:
                    break
            yield
        finally:
            server.kill()


def iperf(label, seconds, *options):
    """iperf3's JSON. The rate that is shown meanwhile comes from the NIC's counters."""
    last = [time.monotonic(), None]

    def show(elapsed):
        nic = stats()["nic"]
        now, octets = time.monotonic(), nic["rx_bytes"] + nic["tx_bytes"]
        rate = (octets - last[1]) * 8 / (now - last[0]) / 1e9 if last[1] is not None else 0
        last[:] = now, octets
        return f"{bar(elapsed / seconds)} {rate:6.2f} Gbit/s"

    with iperf_server():
        code, output, errors = run_with_progress(
            inside(LEFT, "iperf3", "-J", "-c", RIGHT_V4, "-t", str(seconds), *options), label,
            seconds, show)
    try:
        result = json.loads(output)
    except ValueError:
        raise Failure(f"iperf3: {errors.strip() or f'status {code}'}") from None
    if "error" in result:
        raise Failure(f"iperf3: {result['error']}")
    return result["end"]


def tcp(key, label, note, seconds, *options):
    end = iperf(label, seconds, *options)
    received, sent = end["sum_received"], end["sum_sent"]
    gbps = round(received["bits_per_second"] / 1e9, 3)
    again = sent.get("retransmits", 0)
    good = screen.row(label, f"{gbps:.2f} Gbit/s", f"{note}, {again} retransmitted",
                      (gbps >= LEAST_GBPS, f"at least {LEAST_GBPS} Gbit/s"),
                      (again * MSS <= AGAIN_MOST * sent["bytes"],
                       f"at most {AGAIN_MOST:.0%} of {sent['bytes'] // MSS:,} segments"))
    return {key: gbps}, good


def udp_buffer():
    """The largest socket buffer that a program may ask for on this machine."""
    limits = []
    for name in ("rmem_max", "wmem_max"):
        with open(f"/proc/sys/net/core/{name}", encoding="ascii") as value:
            limits.append(int(value.read()))
    return min(*limits, UDP_BUFFER_MAX)


def udp(seconds):
    lost_in_all = 0
    for mbps in UDP_MBPS:
        end = iperf("UDP", seconds, "-u", "-b", f"{mbps}M", "-w", str(udp_buffer()))
        total = end["sum"]
        lost, sent = total["lost_packets"], total["packets"]
        lost_in_all += lost
        share = lost / sent if sent else 1
        gbps = round(total["bits_per_second"] * (1 - share) / 1e9, 3)
        if share <= LOST_MOST:
            break
    good = screen.row("UDP", f"{gbps:.2f} Gbit/s",
                      f"sent at {mbps / 1000:g}: {lost:,} of {sent:,} lost",
                      (gbps >= LEAST_GBPS, f"at least {LEAST_GBPS} Gbit/s"),
                      (share <= LOST_MOST,
                       f"{share:.1%} is lost, at most {LOST_MOST:.0%} may be"))
    return {"udp_tx_gbps": gbps, "udp_lost": lost, "udp_lost_in_all": lost_in_all}, good


def unaccounted(bridge):
    """The number of frames that are neither delivered nor counted as dropped, of both directions."""
    missing = 0
    for way in ("rx", "tx"):
        drops = sum(value for name, value in bridge.items() if name.startswith(f"{way}_drop_"))
        missing += abs(bridge[f"{way}_received"] - bridge[f"{way}_delivered"] - drops)
    return missing


def accounts(udp_lost=0):
    """The lost datagrams have a limit of their own, in their row."""
    deadline = time.monotonic() + SETTLE_S
    counters = stats()
    while unaccounted(counters["bridge"]) and time.monotonic() < deadline:
        time.sleep(0.05)
        counters = stats()
    bridge, nic = counters["bridge"], counters["nic"]
    # The bridge never received those that the kernel or the NIC dropped before.
    before = bridge["kernel_drop"] + nic["rx_missed_errors"] + nic["rx_no_dma_resources"]
    frames = bridge["rx_received"] + bridge["tx_received"] + before
    drops = before + sum(value for name, value in bridge.items() if "_drop_" in name)
    missing = unaccounted(bridge)
    good = screen.row("frames", f"{frames:,}", f"both ways, {drops:,} dropped, {missing} unaccounted",
                      (drops - udp_lost <= DROPPED_MOST * frames,
                       f"at most {DROPPED_MOST:.1%} may be dropped beside UDP's"),
                      (missing == 0, "none may be unaccounted"))
    return {"counters": {key: counters[key] for key in ("nic", "bridge", "queues")}}, good


def driver_dies():
    """kill -9 of the driver while a connection sends all that it can."""
    before = ask(CONTROL, "status")["driver"]
    with contextlib.closing(KillLater(before["pid"], KILL_AFTER_S)) as kill:
        end = iperf("driver killed", 2 * KILL_AFTER_S)
    status = ask(CONTROL, "status")
    driver = status["driver"]
    gap_ms = (driver["last"]["running_ns"] - driver["last"]["dead_ns"]) / 1e6
    lost = sum(driver["lost"].values()) - sum(before["lost"].values())
    again = end["sum_sent"].get("retransmits", 0)
    good = screen.row("driver killed", f"{gap_ms:.1f} ms", f"without one; {lost:,} lost, {again:,} retransmitted",
                      (kill.done, "the driver ended before"),
                      (driver["starts"]["warm"] == before["starts"]["warm"] + 1,
                       "the next driver must go on with the same rings"),
                      (status["recoveries"] == 0 and status["link"]["up"], "the link must stay"))
    return {"driver_gap_ms": gap_ms, "driver_lost": lost}, good


def rules():
    broken = ask(f"{CONTROL}.nic", "violations")["total"]
    good = screen.row("datasheet rules", f"{broken} broken", "by the driver, as its NIC saw it",
                      (broken == 0, "none may be broken"))
    return {"contract_violations": broken}, good


def measure(seconds):
    """(the results, whether all keep their limits)"""
    result, all_good = {}, True
    for row in (ping, lambda: tcp("tcp_tx_gbps", "TCP out", "left to right", seconds),
                lambda: tcp("tcp_rx_gbps", "TCP in", "right to left", seconds, "-R"),
                lambda: udp(seconds), lambda: accounts(result["udp_lost_in_all"]), driver_dies, rules):
        measured, good = row()
        result |= measured
        all_good = all_good and good
    return result, all_good


# ---- The three ways to run it ----

def heading():
    screen.line(screen.colour("1", "ixtap: a network interface whose NIC is driven from user space"))
    screen.line()
    up_to_right = f"  {TAP} {LEFT_V4}  ==  ixtapd  ==  software 82599  ==  "
    screen.line(f"{up_to_right}{WIRE} {RIGHT_V4}")
    screen.line(f"{'  namespace left':<{len(up_to_right)}}namespace right")
    screen.line()


def open_log(path):
    return open(path, "w+", encoding="utf-8", errors="backslashreplace")


def write_results(file, result):
    try:
        json.dump(result, file, indent=2)
        file.write("\n")
        file.flush()
    except OSError as reason:
        raise Failure(f"cannot write the results to {file.name}: {reason.strerror}") from None


def demo(arguments):
    """Runs as process 1 of the namespaces, which end with it."""
    def interrupted(number, _):
        for other in contained.SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in contained.SIGNALS:
        signal.signal(number, interrupted)
    try:
        with open_log("/run/ixtapd.log") as log:
            screen.progress("start", "namespaces, software NIC, driver, bridge")
            daemon = set_up(log, own_child=True)
            try:
                result, good = measure(arguments.seconds)
            except BaseException:
                daemon.kill()
                raise
            code = stop_daemon(daemon)
            if code != 0:
                raise Failure(f"ixtapd ended with status {code}")
            if arguments.json:
                write_results(arguments.json, result)
    except SystemExit:
        screen.line("interrupted; nothing is left behind")
        raise
    except (Failure, OSError) as reason:
        with contextlib.suppress(OSError):  # the screen itself may have gone
            screen.line()
        print(f"demo: {reason}", file=sys.stderr)
        return 1
    screen.line()
    screen.line(screen.colour("1;32", "It works.") if good else
                screen.colour("1;31", "It does not work: see the rows marked FAILED."))
    return 0 if good else 1


def process_start(pid):
    """When the process started; a later one with its number started later. None: it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def state_path():
    return "/run/ixtap-demo/state.json"


def take_down():
    try:
        with open(state_path(), encoding="utf-8") as file:
            state = json.load(file)
    except FileNotFoundError:
        state = None

    def alive():
        return state is not None and process_start(state["pid"]) == state["start"]

    if alive():
        os.kill(state["pid"], signal.SIGTERM)
        with contextlib.suppress(Failure):
            wait_until(lambda: not alive(), "ixtapd stops")
        if alive():
            os.kill(state["pid"], signal.SIGKILL)
            wait_until(lambda: not alive(), "ixtapd is killed")
    # Without this folder the namespaces are not ours.
    for namespace in (LEFT, RIGHT) if os.path.isdir("/run/ixtap-demo") else ():
        if os.path.exists(f"/run/netns/{namespace}"):
            command("ip", "netns", "delete", namespace)
    # An ixtapd that was killed could not remove these.
    for socket_path in (CONTROL, f"{CONTROL}.nic") if state is not None else ():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(socket_path)
    with contextlib.suppress(OSError):  # another ixtapd may have its socket there
        os.rmdir(os.path.dirname(CONTROL))
    shutil.rmtree("/run/ixtap-demo", ignore_errors=True)
    return state is not None


def shell():
    if os.path.exists(state_path()):
        raise Failure("it stands already; take it down first: tools/demo --down")
    for namespace in (LEFT, RIGHT) if not os.path.isdir("/run/ixtap-demo") else ():
        if os.path.exists(f"/run/netns/{namespace}"):
            raise Failure(f"a network namespace {namespace} is there, and not from a demo: remove "
                          f"it (ip netns delete {namespace}) or run without --shell")
    os.makedirs("/run/ixtap-demo", exist_ok=True)
    try:
        with open_log("/run/ixtap-demo/ixtapd.log") as log:
            daemon = set_up(log, own_child=False)
        with open(state_path(), "w", encoding="utf-8") as file:
            json.dump({"pid": daemon.pid, "start": process_start(daemon.pid)}, file)
    except BaseException:
        take_down()
        raise
    ixtap = os.path.relpath(program("ixtap"))
    screen.line(f"""It stands. Try:

  ip netns exec {LEFT} ping {RIGHT_V4}
  ip netns exec {RIGHT} iperf3 -s -D -1 && ip netns exec {LEFT} iperf3 -c {RIGHT_V4}
  ip netns exec {LEFT} ethtool {TAP}
  ip netns exec {LEFT} tcpdump -ni {TAP}
  ip -n {LEFT} link set {TAP} mtu 9000
  {ixtap} status {TAP}
  {ixtap} stats {TAP} -i 1
  {ixtap} monitor {TAP}

The log is /run/ixtap-demo/ixtapd.log. When done: tools/demo --down""")


def seconds_argument(text):
    # int() would take blanks, a sign, an underscore and digits of other scripts.
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= 3600:
        raise ValueError
    return int(text)


def main():
    seconds_argument.__name__ = "number of seconds (1 to 3600)"
    parser = argparse.ArgumentParser(
        prog="demo", description="Ping and iperf3 across a software 82599, the driver and the bridge.",
        epilog=LIMITS, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", type=argparse.FileType("w", encoding="utf-8"),
                        help="write the results there")
    parser.add_argument("--seconds", type=seconds_argument, default=5, metavar="N",
                        help="how long each iperf3 test runs (default: 5)")
    parser.add_argument("--shell", action="store_true",
                        help="leave the set-up standing, and say what to type")
    parser.add_argument("--down", action="store_true", help="take down what --shell left standing")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        print("demo: needs root: it makes network namespaces and interfaces", file=sys.stderr)
        return 1
    try:
        if arguments.down:
            print("taken down" if take_down() else "nothing stands")
            return 0
        packages()
        heading()
        build()
        if arguments.shell:
            shell()
            return 0
    except Failure as reason:
        screen.line()
        print(f"demo: {reason}", file=sys.stderr)
        return 1
    return contained.contained(lambda: demo(arguments))


if __name__ == "__main__":
    contained.speak_to_any()
    try:
        try:
            sys.exit(main())
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        screen.line("interrupted; nothing is left behind")
        sys.exit(130)
    except OSError as reason:
        contained.end_by("demo", reason)

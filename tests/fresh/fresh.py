#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Follows the README on a clean Debian: fresh.py [RELEASE] [--whole] [--json FILE]

RELEASE is 12, 13 or all; without it, that of this machine. For each a root of the smallest kind is made, with
git and nothing else, and the last commit is cloned into it. Then each command of the README runs there, in
the README's order. A command that no line of COMMANDS knows is a failure, so none can be added to the README
without being tried.

What installs packages has the network, and makes its own namespaces. All else runs in a network namespace
of this root. `--whole` runs tests/run, too, which takes as long as it takes.
"""
import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools", "lab"))
from store import Failure, Unavailable, command, debian  # noqa: E402

RELEASES = {"12": "bookworm", "13": "trixie"}
HOME = "/root/ixtap"  # the clone, in the root
STEP_S, WHOLE_S = 900, 5400
SHOWN_S = 4  # of what goes on until it is told to end
TAIL_LINES = 40
ENVIRONMENT = ("HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb",
               "LANG=C.UTF-8")

# How each command of the README is tried:
#   online     as it stands, with the network
#   run        as it stands
#   stands     in the background, to the end; the next word is a command that succeeds when it is ready
#   shows      for a while, until SIGINT; something must have been shown
#   whole      likewise "online", if it is asked for
#   elsewhere  by another suite, which is named
HARDWARE = ("elsewhere", "lab: vfio binds and drives the virtual machine's NIC so")
COMMANDS = {
    r"tools/demo": ("online",),
    r"tests/run": ("whole",),
    r"meson setup build/release .*": ("run",),
    r"build/release/bridge/ixtapd .*": ("stands", "build/release/tools/ixtap/ixtap status"),
    r"\S*ixtap (list|status)": ("run",),
    r"\S*ixtap (stats -i 1|monitor)": ("shows",),
    r"meson install .*": ("run",),
    r"nmcli connection .*": ("run",),
    r"ixlat (udp|compare) .*": ("run",),
    r"tools/lab/lab .*": ("elsewhere", "lab"),
    r"(lspci|readlink|modprobe|echo|group=|chown alice|ulimit|ip (tuntap|address|link)) ?.*": HARDWARE,
    r"(ixtapd --nic vfio:|kill -TERM ).*": HARDWARE,
}
# Indented, and no commands: what the block has in it.
PICTURES = ("# tools/demo", "+----------+", "received = ")

# What somebody has who comes to the command: packages, and commands before the first such one.
PACKAGES = {r"nmcli .*": ("network-manager", "dbus"), r"ixlat compare .* --plot .*": ("gnuplot-nox",)}
BEFORE = {
    r"ixlat udp .*": """ip netns add far; ip link set wire0 netns far
ip netns exec far ip address add 192.0.2.2/24 dev wire0; ip netns exec far ip link set wire0 up
ip netns exec far ixlat reflect udp > /dev/null 2>&1 < /dev/null &
for try in $(seq 50); do if ping -qc 1 -W 1 192.0.2.2 > /dev/null; then break; fi; done""",
    r"nmcli .*": """mkdir -p /run/dbus; dbus-daemon --system --fork; NetworkManager
for try in $(seq 100); do if nmcli general > /dev/null 2>&1; then break; fi; sleep 0.1; done""",
}
# And what must hold after it.
AFTER = {
    r"meson install .*": """ldconfig -p | grep 'libixgbe[.]so[.]0 ' || { echo 'the linker finds none'; exit 1; }
for program in ixtapd ixtap ixnic ixlat; do "$program" --help > /dev/null; done
echo '#include <ixtap/ixgbe.h>' > /tmp/user.c
echo 'int main(void) { return ixgbe_pci_address("03:00.0", (char[IXGBE_PCI_ADDRESS_BYTES]){0}, 0); }' >> /tmp/user.c
cc -o /tmp/user /tmp/user.c $(pkg-config --cflags --libs libixgbe); /tmp/user""",
    r"nmcli connection add .*": "nmcli connection up tap0; nmcli -t -f DEVICE,STATE device | grep '^tap0:connected'",
}

# In the root: tries one command and says how that went.
STEP = r"""
step() { # seconds, the command as the README has it, as it is run
	local code=0
	timeout -k 5 "$1" bash -euo pipefail -c "$3" > /tmp/said 2>&1 < /dev/null || code=$?
	if [ "$code" = 0 ]; then
		echo "  ok      $2"
	else
		echo "  FAILED  $2"
		sed 's/^/    /' /tmp/said
		echo "    exit status $code"
	fi
}
"""


def known(table, text):
    return next((value for pattern, value in table.items() if re.fullmatch(pattern, text)), None)


def commands(text):
    """The commands in the README's indented blocks; a "\\" at a line's end joins the next, a comment goes."""
    found = []
    for block in re.findall(r"(?:^ {4,}\S.*\n|^\n(?= {4,}\S))+", text, re.M):
        if any(picture in block for picture in PICTURES):
            continue
        joined = re.sub(r"\\\n\s*", "", block)
        found += [re.sub(r"\s{2,}#.*", "", line).strip() for line in joined.splitlines() if line.strip()]
    return found


def enter(root, script, online, timeout_s):
    """Runs a bash script in the root, in namespaces that end with it; gives its output. Without the network
    /sys is as containers have it: by that NetworkManager knows that it need not wait for udev."""
    mounts = f"""set -e
mount --make-rprivate /; mount --bind {root} {root}
mount -t proc proc {root}/proc; mount -t sysfs {"" if online else "-o ro"} sysfs {root}/sys
mount -t tmpfs tmpfs {root}/run; mount --rbind /dev {root}/dev
ip link set lo up 2> /dev/null || true
exec env -i {" ".join(ENVIRONMENT)} chroot {root} bash -c 'cd {HOME} && exec bash -s'"""
    try:
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", *([] if online else ["--net"]),
             "sh", "-c", mounts], input=script, text=True, errors="replace", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as late:
        return f"{(late.output or b'').decode(errors='replace')}\n  FAILED  all within {timeout_s} s\n"
    return done.stdout


def script(todo):
    lines, seen = [STEP], set()
    for text in todo:
        way, *more = known(COMMANDS, text)
        for pattern, before in BEFORE.items():
            if re.fullmatch(pattern, text) and pattern not in seen:
                seen.add(pattern)
                lines.append(before)
        if way == "stands":
            lines.append(f"{text} > /tmp/stands 2>&1 < /dev/null &")
            text_run = (f"for try in $(seq 100); do if {more[0]} > /dev/null; then exit 0; fi; sleep 0.1; done; "
                        "cat /tmp/stands; exit 1")
        elif way == "shows":
            text_run = (f"timeout -s INT --preserve-status {SHOWN_S} {text} > /tmp/shown || test $? = 130; "
                        "test -s /tmp/shown")
        else:
            text_run = text
        after = known(AFTER, text)
        lines.append(f"step {WHOLE_S if way == 'whole' else STEP_S} {shlex.quote(text)} "
                     f"{shlex.quote(text_run + (chr(10) + after if after else ''))}")
    return "\n".join([*lines, "kill $(jobs -p) 2> /dev/null; wait", ""])


def follow(release, whole, folder):
    """Yields what each command came to: (name, passed, text)."""
    root = os.path.join(folder, "root")
    debian("minbase", (RELEASES[release],), ("git",), root)
    command("git", "clone", "-q", TOP, root + HOME)
    with open(root + os.path.join(HOME, "README.md"), encoding="utf-8") as file:
        todo = commands(file.read())
    for text in todo:
        if not known(COMMANDS, text):
            yield text, False, "tests/fresh/fresh.py does not know this command of the README"
    todo = [text for text in todo if known(COMMANDS, text) and known(COMMANDS, text)[0] != "elsewhere"]
    online = [text for text in todo if known(COMMANDS, text)[0] == "online"
              or (whole and known(COMMANDS, text)[0] == "whole")]
    packages = sorted({name for pattern, names in PACKAGES.items() for name in names
                       if any(re.fullmatch(pattern, text) for text in todo)})
    offline = [text for text in todo if known(COMMANDS, text)[0] not in ("online", "whole")]
    install = "apt-get -qy install --no-install-recommends " + " ".join(packages)
    yield from results(enter(root, script(online) + f"{install} > /tmp/said 2>&1 || cat /tmp/said\n", True,
                             WHOLE_S + STEP_S), online)
    yield from results(enter(root, script(offline), False, 2 * STEP_S), offline)


def results(output, wanted):
    parts = re.split(r"^  (ok    |FAILED)  (.*)\n", output, flags=re.M)
    said = {name: (outcome.strip() == "ok", text) for outcome, name, text in zip(*[iter(parts[1:])] * 3)}
    for name in wanted:
        yield name, *said.get(name, (False, output))


def ours():
    """This machine's release, or the first of those that ixtap is for."""
    with open("/etc/os-release", encoding="utf-8") as file:
        said = re.search(r'^VERSION_ID="(\d+)"', file.read(), re.M)
    return said[1] if said and said[1] in RELEASES else next(iter(RELEASES))


def main():
    parser = argparse.ArgumentParser(prog="fresh.py", description="Follows the README on a clean Debian.")
    parser.add_argument("release", metavar="RELEASE", nargs="?", choices=[*RELEASES, "all"], default=ours(),
                        help="of Debian: 12, 13 or all (%(default)s)")
    parser.add_argument("--whole", action="store_true", help="run tests/run, too")
    parser.add_argument("--json", metavar="FILE", type=argparse.FileType("w"), help="write the results there")
    arguments = parser.parse_args()
    checks, error = [], None
    # Neither on a tmpfs, which may be small, nor below the sources, of which the root has a clone.
    with tempfile.TemporaryDirectory(prefix="ixtap-fresh-", dir="/var/tmp",
                                     ignore_cleanup_errors=True) as folder:
        try:
            for release in RELEASES if arguments.release == "all" else [arguments.release]:
                os.makedirs(os.path.join(folder, release))
                started = time.monotonic()
                print(f"Debian {release}", flush=True)
                for name, passed, text in follow(release, arguments.whole, os.path.join(folder, release)):
                    checks.append({"name": f"Debian {release}: {name}", "pass": passed, "reason": text})
                    print(f"  {'ok    ' if passed else 'FAILED'}  {name}", flush=True)
                    if not passed:
                        print("\n".join(text.splitlines()[-TAIL_LINES:]), flush=True)
                print(f"  {time.monotonic() - started:.0f} s", flush=True)
        except Failure as failure:
            error = failure
            print(f"fresh.py: {failure}", file=sys.stderr)
    failed = sum(not check["pass"] for check in checks)
    if arguments.json:
        json.dump({"checks": checks, "failed": failed, **({"error": str(error), "unavailable":
                   isinstance(error, Unavailable)} if error else {})}, arguments.json)
    return 1 if failed or error else 0


if __name__ == "__main__":
    sys.exit(main())

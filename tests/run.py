#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What tests/run does when the packages are there.

    suite    what                                   build tree
    unit     the C code's parts, by themselves      build/plain
    model    ixnic alone, driven by messages        build/plain
    driver   the driver over every backend          build/plain
    system   the programs, with real interfaces     build/plain
    groundwork  facts about the running kernel      build/plain
    mutants  the driver suite against wrong drivers  build/plain
    style    form of sources, scripts, man pages    (build/plain, for how they compile)
    cost     instructions per frame of the driver   build/bench
    fresh    the README on a clean Debian           (its own)
    lab      drivers in virtual machines            build/plain
    asan     the first four again, without scripts  build/asan: address and undefined behaviour

The lab is short unless it is asked for by name: then it is LAB_FULL, most of it on all kernels. "fresh" is this
machine's release of Debian, and both that ixtap is for by name. So are the mutants: a sample, or all of them by
name; and clang-tidy, which reads the tests' own sources only where style is asked for by name.

Every suite runs in tools/contained.py: what it leaves behind is a failure, and is removed. Only the lab's
scenarios and "fresh" do not: they may have to fetch packages, and contain what they start themselves.

Three things shorten a run. Suites that share nothing and often wait run side by side (GROUPS). So do the system
tests: their files run four at a time, each in a container of its own, and a file's lines are shown when the file has
ended. Those that time something or measure the use of a processor have the mark "alone", and run afterwards, one after
the other. What only computes, the compilation of build/asan and the suites style and cost, runs beside all others, with
what processors these leave. So does the fetching of what the short lab takes from Debian.
"""
import collections
import contextlib
import glob
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
C_SUITES = ("unit", "model", "driver", "groundwork")
ASAN_SUITES = ("unit", "model", "driver", "system")
SUITES = (*ASAN_SUITES, "groundwork", "style", "cost", "mutants", "fresh", "lab", "asan")
# What runs after each other, and beside each other.
GROUPS = (("unit", "model", "driver"), ("system",), ("groundwork",), ("style",), ("cost",), ("mutants", "fresh"), ("lab",))
COMPUTING = ("style", "cost")  # nothing in these is timed
MUTANTS_SAMPLE = 40
KERNELS = ("6.1", "6.12", "7.3")
LAB_SHORT = (("kernel", "6.12"), ("vfio", "6.12"), ("containment", "6.12"), ("ipxe", "6.12"))
LAB_FULL = (*((scenario, kernel) for scenario in ("kernel", "vfio", "driver", "restart", "containment", "groundwork")
              for kernel in KERNELS), ("dpdk", "6.12"), ("ipxe", "6.12"), ("selftests", "7.3"),
            ("compare", "6.12"))
TREES = {
    "plain": ["-Dwerror=true", "-Dtests=enabled"],
    "asan": ["-Dwerror=true", "-Dtests=enabled", "-Db_sanitize=address,undefined", "-Db_lundef=false"],
}
SANITIZER_ENV = {
    # A report ends the program, so that a test sees it.
    "ASAN_OPTIONS": "strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
LOG_LINES, GIST_LINES = 80, 8  # of a failure's text: at once, and in the list at the end
SUITE_TIMEOUT_S, LAB_TIMEOUT_S = 1800, 3600
IDLE_TIMEOUT_S = 5400  # of what waits for all others
# Of the system tests, those that take longest: they begin first, and at the end all lanes have something to do.
SLOW = ("test_waits.py", "test_store.py", "test_ixlat.py", "test_faults.py", "test_lies.py", "test_restart.py", "test_upgrade.py")
LANES = 4  # files of system tests that run at a time
NOTHING_SELECTED = 5  # pytest's exit status

Result = collections.namedtuple("Result", "name outcome text")
results = []


def say(text=""):
    print(text, flush=True)


def tail(text, lines=LOG_LINES):
    kept = (text or "").strip().splitlines()
    cut = [f"... {len(kept) - lines} lines before"] if len(kept) > lines else []
    return "\n".join(cut + kept[-lines:])


def add(name, outcome, text=""):
    results.append(Result(name, outcome, text))
    if outcome == "failed":
        say(f"\nFAILED {name}\n{tail(text)}\n")


def patience_s():
    return IDLE_TIMEOUT_S if os.sched_getscheduler(0) == os.SCHED_IDLE else SUITE_TIMEOUT_S


def stream(command, show=None, env=None, timeout_s=None):
    """Runs it and shows the lines of its output that match `show`: (exit status, output)."""
    output, timeout_s = [], timeout_s or patience_s()
    with subprocess.Popen(command, cwd=TOP, env={**os.environ, **(env or {})}, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            signal.alarm(timeout_s)
            for line in process.stdout:
                output.append(line)
                if show and re.search(show, line):
                    say("  " + line.rstrip())
            code = process.wait()
        except BaseException as reason:
            process.terminate()
            if not isinstance(reason, TimeoutError):
                raise
            output.append(f"stopped after {timeout_s} s\n")
            code = 124
        finally:
            signal.alarm(0)
    return code, "".join(output)


def contained(name, command, show, env=None):
    """stream() in a container of its own; what is left behind is a failure."""
    with tempfile.TemporaryDirectory(prefix="ixtap-tests-") as scratch:
        os.chmod(scratch, 0o711)  # tests run programs as another user
        report = os.path.join(scratch, "left-behind")
        code, output = stream([sys.executable, os.path.join(TOP, "tools/contained.py"), report,
                               *command], show, {**(env or {}), "TMPDIR": scratch})
        if os.path.exists(report):
            with open(report, encoding="utf-8") as lines:
                left = lines.read()
            add(f"{name}: leaves nothing behind", "failed" if left else "passed", left)
        else:
            add(f"{name}: runs", "failed", output)
    return code, output


def compile_tree(tree):
    """Configures and compiles. Of the command that failed, if one did: its words and its output."""
    folder = os.path.join(TOP, "build", tree)
    commands = [["ninja", "-C", folder]]
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        shutil.rmtree(folder, ignore_errors=True)
        commands.insert(0, ["meson", "setup", folder, TOP, *TREES[tree]])
    for command in commands:
        code, output = stream(command)
        if code != 0:
            return command, output
    return None


def build(tree):
    """compile_tree(), as a result; False if that failed."""
    started = time.monotonic()
    failure = compile_tree(tree)
    if failure:
        add(f"{tree}: {' '.join(failure[0][:2])}", "failed", failure[1])
        return False
    add(f"{tree}: builds without a warning", "passed")
    say(f"built build/{tree} in {time.monotonic() - started:.0f} s")
    return True


def short(name):
    """Of meson's "ixtap.ixtap:unit / rx": rx."""
    return name.rpartition(" / ")[2]


def logs_of(*elements):
    return "\n".join(part.text for element in elements for part in
                     (element.find("system-out"), element.find("system-err"))
                     if part is not None and part.text)


def skip_reason(case, group, skip):
    """meson leaves it in the output of the test, where TAP has it."""
    said = re.search(rf"(?:^ok .*{re.escape(case.get('name'))}.*|^1\.\.0 )# SKIP:? *(.+)",
                     logs_of(case, group), re.M)
    return skip.get("message") or (said and said[1]) or "says not why"


def read_junit(label, path):
    """Adds the test cases of a JUnit file; returns the names of those with failures, or of their
    groups."""
    failing = set()
    for group in ElementTree.parse(path).getroot().iter("testsuite"):
        for case in group.iter("testcase"):
            owner = case.get("classname") or group.get("name")
            if " / " in case.get("name"):
                name = short(case.get("name"))
            else:
                name = f"{short(owner)} {case.get('name')}"
            bad = case.find("failure") if case.find("failure") is not None else case.find("error")
            skip = case.find("skipped")
            if bad is not None:
                add(f"{label}: {name}", "failed", "\n".join(
                    filter(None, [bad.get("message"), bad.text, logs_of(case, group)])))
                failing |= {short(owner), name}
            elif skip is not None:
                add(f"{label}: {name}", "skipped", skip_reason(case, group, skip))
            else:
                add(f"{label}: {name}", "passed")
    return failing


def run_c_suite(suite, tree, env):
    folder = os.path.join(TOP, "build", tree)
    label = f"{tree} {suite}"
    logs = os.path.join(folder, "meson-logs")
    for name in (f"{suite}.junit.xml", f"{suite}.json"):
        if os.path.exists(os.path.join(logs, name)):
            os.unlink(os.path.join(logs, name))
    code, output = contained(label, ["meson", "test", "-C", folder, "--no-rebuild", "--suite", suite,
                                     "--logbase", suite, "--timeout-multiplier",
                                     "4" if tree == "asan" else "2"], r"^\s*\d+/\d+ ", env)
    junit = os.path.join(logs, f"{suite}.junit.xml")
    if not os.path.exists(junit):
        add(f"{label}: runs", "failed", output or "no tests")
        return
    failing = read_junit(label, junit)
    # A program that dies after its last "ok" is no test case of the JUnit file.
    with open(os.path.join(logs, f"{suite}.json"), encoding="utf-8") as lines:
        for test in map(json.loads, lines):
            name = short(test["name"])
            if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and name not in failing:
                add(f"{label}: {name}", "failed", f"{test['result']}, exit status "
                    f"{test['returncode']}\n{test.get('stdout', '')}\n{test.get('stderr', '')}")
                failing.add(name)
    if code != 0 and not failing:
        add(f"{label}: meson test", "failed", output)


def run_pytest(label, path, tree, env, *words):
    """A folder of tests, or one of its files. What is left behind is told of the same."""
    build_dir = os.path.join(TOP, "build", tree)
    junit = os.path.join(build_dir, f"{os.path.basename(path)}.junit.xml")
    if os.path.exists(junit):
        os.unlink(junit)
    command = [sys.executable, "-m", "pytest", path, "-v", "--tb=short", "-p", "no:cacheprovider",
               "-W", "error::pytest.PytestUnhandledThreadExceptionWarning",
               f"--junitxml={junit}", "-o", "junit_logging=all", "-o", "junit_family=xunit1", *words]
    code, output = contained(f"{label} {os.path.basename(path)}" if path.endswith(".py") else label, command,
                             r"::.* (PASSED|FAILED|ERROR|SKIPPED)",
                             {**env, "IXTAP_BUILD": build_dir, "PYTHONDONTWRITEBYTECODE": "1"})
    failing = read_junit(label, junit) if os.path.exists(junit) else set()
    if code not in (0, NOTHING_SELECTED if "-m" in words else 0) and not failing:
        add(f"{label} {os.path.basename(path)}: pytest", "failed", output)


def run_together(path, tree):
    """Of a file of system tests those that may run beside others."""
    run_pytest(f"{tree} system", path, tree, environment(tree), "-m", "not alone")


def run_system(label, tree, env):
    folder = os.path.join(TOP, "tests", "system")
    waiting = sorted(glob.glob(os.path.join(folder, "test_*.py")), key=lambda path: (
        -SLOW.index(os.path.basename(path)) if os.path.basename(path) in SLOW else -len(SLOW), os.path.getsize(path)))
    with contextlib.ExitStack() as running:
        lanes = []
        while waiting or lanes:
            while waiting and len(lanes) < LANES:
                lanes.append(running.enter_context(Aside("together", waiting.pop(), tree)))
            for lane in filter(Aside.ended, list(lanes)):
                lane.collect()
                lanes.remove(lane)
            time.sleep(0.1)
    run_pytest(label, folder, tree, env, "-m", "alone")


def run_mutants(label, tree, full):
    """One result: whether as many are noticed as should be."""
    code, output = contained(label, [sys.executable, os.path.join(TOP, "tests/mutants/run_mutants.py"),
                                     os.path.join(TOP, "build", tree),
                                     *([] if full else ["--sample", str(MUTANTS_SAMPLE)])],
                             r"^(seed|deletion +\d|field +\d|order +\d|plain +\d|wait +\d|  survives|  listed|\d+ mutants)",
                             {"PYTHONDONTWRITEBYTECODE": "1"})
    add(f"{label}: wrong drivers are noticed", "passed" if code == 0 else "failed", output)


def run_checks(name, command, env=None):
    """Runs a program that writes its checks as JSON to the file after --json; each is a result."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as file:
        code, output = stream([*command, "--json", file.name], r"^  (ok|FAILED|skip) ", env, LAB_TIMEOUT_S)
        try:
            said = json.load(file)
        except ValueError:
            add(name, "failed", output)
            return
    if "error" in said:
        add(name, "skipped" if said["unavailable"] else "failed", said["error"])
        return
    for check in said["checks"]:
        outcome = {True: "passed", False: "failed", None: "skipped"}[check["pass"]]
        add(f"{name}: {check['name'].strip()}", outcome, check.get("reason", ""))
    if code != 0 and said["failed"] == 0:
        add(name, "failed", output)


def run_lab_tests(tree):
    run_pytest(f"{tree} lab", os.path.join(TOP, "tests", "lab"), tree, environment(tree))


def run_lab(label, tree, full):
    with Aside("lab-tests", tree) as tests:
        for scenario, kernel in LAB_FULL if full else LAB_SHORT:
            run_checks(f"{label}: {scenario} on {kernel}",
                       [os.path.join(TOP, "tools/lab/lab"), scenario, "--kernel", kernel,
                        *([] if full else ["--short"])], {"IXTAP_BUILD": os.path.join(TOP, "build", tree)})
        tests.collect()


def fetch_for_lab():
    """A head start: what is not in the cache then, the lab fetches itself, and tells why it cannot."""
    for scenario, kernel in LAB_SHORT:
        stream([os.path.join(TOP, "tools/lab/lab"), scenario, "--kernel", kernel, "--short", "--fetch"],
               env={"IXTAP_BUILD": os.path.join(TOP, "build", "plain")})


def environment(tree):
    return SANITIZER_ENV if tree == "asan" else {}


def processor_s():
    """Of all that this process has started and that has ended."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def run(suite, tree, full=False):
    started, used, first = time.monotonic(), processor_s(), len(results)
    env = environment(tree)
    say(f"\n{suite} ({tree})")
    if suite in C_SUITES:
        run_c_suite(suite, tree, env)
    elif suite == "mutants":
        run_mutants(f"{tree} {suite}", tree, full)
    elif suite == "fresh":
        run_checks("fresh", [os.path.join(TOP, "tests/fresh/fresh.py"), *(["all"] if full else [])])
    elif suite == "lab":
        run_lab(f"{tree} {suite}", tree, full)
    elif suite == "system":
        run_system(f"{tree} {suite}", tree, env)
    elif suite == "style":
        run_pytest(f"{tree} {suite}", os.path.join(TOP, "tests", suite), tree, env, *([] if full else ["-m", "not long"]))
    else:
        run_pytest(f"{tree} {suite}", os.path.join(TOP, "tests", suite), tree, env)
    counts = collections.Counter(result.outcome for result in results[first:])
    say(f"  {suite} ({tree}): {summary(counts)}, {time.monotonic() - started:.0f} s, "
        f"{processor_s() - used:.0f} s of a processor")


def summary(counts):
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))


def gist(text):
    """Of a failure's text, what says most: the lines that pytest, TAP and our scripts mark, or the last ones; and what
    daemons complained of."""
    lines = [line.rstrip() for line in (text or "").splitlines() if line.strip()]
    marked = [line for line in lines if re.match(r"E  |>  |not ok|# .*error:|# .* [!=]= |  survives|the driver ", line)]
    said = [line for line in lines if re.match(r"ix\S+: (warning|error): |.*(ERROR: \w+Sanitizer|runtime error):", line)]
    if len(marked) > 2 * GIST_LINES:
        marked[GIST_LINES:-GIST_LINES] = ["..."]
    return [*(marked or lines[-GIST_LINES:]), *said[-GIST_LINES:]]


def report():
    skipped = collections.Counter(result.text.strip() for result in results
                                  if result.outcome == "skipped")
    failed = [result for result in results if result.outcome == "failed"]
    if skipped:
        say("\nskipped, because:")
        for reason, count in skipped.most_common():
            say(f"  {count:4d}  {reason}")
    if failed:
        say("\nfailed:")
        for result in failed:
            say("\n      ".join([f"  {result.name}", *gist(result.text)]))
    say()
    say(summary(collections.Counter(result.outcome for result in results)))
    return 1 if failed else 0


def on_alarm(_number, _frame):
    raise TimeoutError


class Aside:
    """A part of the run in a process of its own, of ASIDE's kinds. What it says and finds is kept until it is
    collected. It outlives neither the context nor us."""

    def __init__(self, kind, *words, idle=False):
        self.name = " ".join(map(os.path.basename, (kind, *words)))
        self.idle = idle
        self.end = time.monotonic() + (IDLE_TIMEOUT_S if idle else SUITE_TIMEOUT_S)
        with contextlib.ExitStack() as stack:
            self.said = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
            self.found = stack.enter_context(tempfile.NamedTemporaryFile("r", encoding="utf-8"))
            command = ["setpriv", "--pdeathsig", "TERM", sys.executable, __file__, "--aside-idle" if idle else "--aside",
                       self.found.name, kind, *words]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.said, stderr=self.said)
            self.files = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.files, self.process:
            self.process.terminate()

    def ended(self):
        return self.process.poll() is not None or time.monotonic() > self.end

    def collect(self):
        """Waits for its end; what it said and found is ours. We have nothing else to do, so it need not give way."""
        if self.idle and self.process.poll() is None:
            weigh_session(self.process.pid, 0)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0, self.end - time.monotonic()))
        self.said.seek(0)
        text = self.said.read().rstrip()
        if text:
            say(text)
        try:
            results.extend(Result(*each) for each in json.load(self.found))
        except ValueError:
            add(f"{self.name}: runs", "failed", f"exit status {self.process.poll()}")


ASIDE = {"together": run_together, "suite": run, "compile": compile_tree, "lab-tests": run_lab_tests, "fetch": fetch_for_lab}


def weigh_session(pid, nice):
    """Of the process's session, where the scheduler weighs sessions against each other (autogroups)."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as group:
        group.write(str(nice))


def give_way():
    """All others go first. A priority counts within a session alone, and tests start programs in sessions of their own:
    so we need one, too, and that the lowest weight."""
    os.setsid()
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    weigh_session("self", 19)


def run_aside(path, kind, *words):
    """What Aside starts."""
    try:
        ASIDE[kind](*words)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(results, file)
    except OSError as failure:
        sys.exit(f"{path}: {failure.strerror}")


def run_group(suites, tree, full):
    """One suite, or several side by side."""
    if len(suites) == 1:
        run(suites[0], tree, full)
        return
    with contextlib.ExitStack() as running:
        for aside in [running.enter_context(Aside("suite", each, tree, *(["full"] if full else []))) for each in suites]:
            aside.collect()


def those_of(suites):
    """The groups, with those of `suites` in them."""
    groups = [[each for each in group if each in suites] for group in GROUPS]
    return [group for group in groups if group]


def run_all(suites, full):
    """The suites in their order. What only computes begins with the system tests, after the compilation of build/asan
    had the time of the suites before them, and is awaited last."""
    plain = [suite for suite in SUITES if suite in suites and suite != "asan"]
    if plain and not build("plain"):
        plain = []
    computing = [each for each in COMPUTING if each in plain and "system" in plain]
    with contextlib.ExitStack() as running:
        compiling = [running.enter_context(Aside("compile", "asan", idle=True))] if plain and "asan" in suites else []
        fetching, beside = [], []
        for group in those_of([each for each in plain if each not in computing]):
            if group == ["system"]:
                if "lab" in plain and not full:
                    fetching = [running.enter_context(Aside("fetch", idle=True))]
                beside = [running.enter_context(Aside("suite", each, "plain", idle=True)) for each in computing]
            if group == ["lab"]:
                for aside in fetching:
                    aside.collect()
            run_group(group, "plain", full)
        for aside in compiling:
            aside.collect()
        # Where its head start failed, this fails again and tells why.
        if "asan" in suites and build("asan"):
            for group in those_of(ASAN_SUITES):
                run_group(group, "asan", False)
        for aside in beside:
            aside.collect()


def main():
    wanted = sys.argv[1:] or SUITES  # tests/run has looked at them
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if wanted[0] == "--aside-idle":
        give_way()
    if wanted[0].startswith("--aside"):
        return run_aside(*wanted[1:])
    run_all(wanted, full=bool(sys.argv[1:]))
    return report()


if __name__ == "__main__":
    if sys.stdout:
        sys.stdout.reconfigure(errors="backslashreplace")  # whatever the locale, and what is told
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

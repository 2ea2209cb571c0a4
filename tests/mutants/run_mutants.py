#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the driver tests against each mutant of libixgbe: run_mutants.py BUILD [--sample N] [--seed N] [--only PATTERN]

A mutant is noticed when a driver test fails, hangs or sees a rule of the datasheet broken. The tests of one mutant end with
the first that fails. A mutant that nobody notices is a survivor. Those of which no device could notice anything are named
in the file `survivors`, each with the reason.

A sample is drawn anew each time, by the seed that is printed: a third are deletions, the others of each kind alike. The
survivors that are named are left out: they take longest, and tell nothing.

Exit status 1: of a kind, less than its measure is noticed of what `survivors` does not name; a deletion survives that
`survivors` does not name; or the unchanged driver fails. A sample has no shares, so it is only the last two that fail there.
"""
import argparse
import collections
import concurrent.futures
import os
import random
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import mutants

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MEASURES = {"deletion": 95, "field": 80, "order": 80, "plain": 80, "wait": 80}
JOBS = 4 * (os.cpu_count() or 1)  # most of a test is waiting
# The tests of one backend: IOVAs above 4 GiB, and a NIC that outlives its connection.
ARGUMENTS = ("vfio-user", "high")
LEAST_LIMIT_S = 30.0
NICS = 6  # that a survivor meets: one bit that is there by chance is there for one of 64
PLAIN_LIMIT_S = 300.0  # of the driver without a change, whose time decides the limit of the others

Run = collections.namedtuple("Run", "noticed_by seconds")


def commands_of(build, target):
    text = subprocess.run(["ninja", "-C", build, "-t", "commands", target], check=True, text=True,
                          capture_output=True).stdout
    return text.splitlines()


def compiled(build, folder, copies):
    """The test program with the copies in place of the driver's files."""
    commands = commands_of(build, "tests/driver/test_driver")
    objects, mutated = [], set()
    for command in commands:
        found = re.search(r" -o (ixgbe/libixgbe_static\.a\.p/\S+\.o) -c \S*?/ixgbe/(\S+\.c)$", command)
        if not found:
            continue
        if found[2] not in copies:
            objects.append(found[1])
            continue
        out = copies[found[2]] + ".o"
        words = [word for word in shlex.split(command)[:-4] if not word.startswith("-Werror")]
        words = words[:words.index("-MD")] + ["-w", "-I" + os.path.join(TOP, "ixgbe", os.path.dirname(found[2])),
                                              "-o", out, "-c", copies[found[2]]]
        subprocess.run(words, cwd=build, check=True)
        objects.append(out)
        mutated.add(found[2])
    if mutated != set(copies):
        raise ValueError(f"not compiled: {set(copies) - mutated}")
    program = os.path.join(folder, "test_driver")
    words = shlex.split(commands[-1])
    words[words.index("-o") + 1] = program
    at = words.index("ixgbe/libixgbe_static.a")
    words[at:at + 1] = objects + ["-Wl,--wrap=mkdtemp", "tests/mutants/libmutant.a"]
    subprocess.run(words, cwd=build, check=True)
    return program


def why(text):
    """Of the tests' output: the first rule that was broken, or the check that failed."""
    end = re.search(r"^not ok .*\n(?:#.*\n)*", text, re.M).end()
    start = max(0, *(found.end() for found in re.finditer(r"^ok .*\n", text[:end], re.M)), 0)
    text = text[start:end]
    rule = re.search(r"the driver broke (.*)", text)
    if rule:
        return rule[1]
    said = re.search(r"^ERROR: (.*)", text, re.M)
    failed = " ".join(re.findall(r"^# (.*)", text, re.M)) or text.splitlines()[-1]
    return " ".join(((said[1] + " " if said else "") + re.sub(r"(\.\./)+", "", failed)).split())


class Judge:
    """The driver tests against one mutant at a time."""

    def __init__(self, build, program, folder, seed):
        self.program, self.folder, self.seed = program, folder, seed
        self.nic = os.path.join(build, "tools", "ixnic", "ixnic")
        self.limit_s = PLAIN_LIMIT_S

    def persistently(self, number):
        """A dirty NIC may have by chance what a wrong driver leaves out. So a survivor meets others."""
        for seed in range(self.seed, self.seed + NICS):
            run = self(number, seed)
            if run.noticed_by:
                break
        return run

    def __call__(self, number, seed=None):
        started = time.monotonic()
        sockets = tempfile.mkdtemp(prefix="ixm-", dir="/tmp")
        env = {**os.environ, "IXTAP_MUTANT": str(number), "IXTAP_MUTANT_DIR": sockets, "IXNIC": self.nic,
               "IXNIC_DIRTY": str(seed or self.seed), "CMOCKA_MESSAGE_OUTPUT": "TAP"}
        with subprocess.Popen([self.program, *ARGUMENTS], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              start_new_session=True) as process:
            try:
                noticed = self.watch(process, started + self.limit_s)
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                process.wait()
        shutil.rmtree(sockets, ignore_errors=True)
        return Run(noticed, time.monotonic() - started)

    @staticmethod
    def watch(process, end):
        """What notices: the first test that fails, and why. None: nothing does."""
        text = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0, end - time.monotonic())):
                    return "the tests do not end"
                more = os.read(process.stdout.fileno(), 65536)
                text += more
                found = re.search(rb"^not ok \d+ - (\w+)", text, re.M)
                if found and (more.endswith(b"Failure!\n") or text.count(b"\n", found.end()) > 2):
                    return found[1].decode() + ": " + why(text.decode(errors="replace"))
                if not more:
                    code = process.wait()
                    return f"the tests end with {code}" if code else None


def expected():
    """The survivors that the file names: {name: reason}."""
    names, reason = {}, None
    with open(os.path.join(HERE, "survivors"), encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#") or not line.strip():
                continue
            if line.startswith("\t"):
                names[line.strip()] = reason
            else:
                reason = line.strip()
    return names


def report(chosen, runs, known, whole, jobs):
    """Prints what came out: whether it is as it should be."""
    good, survivors = True, [name for name in chosen if runs[name].noticed_by is None]
    for kind, least in MEASURES.items():
        names = [name for name in chosen if chosen[name].kind == kind]
        left = [name for name in survivors if chosen[name].kind == kind]
        listed = sum(name in known for name in left)
        share = 100 * (len(names) - len(left)) / len(names) if names else 100
        # What no device could notice is nothing that a test could.
        counted = 100 * (len(names) - len(left)) / ((len(names) - listed) or 1)
        good = good and (not whole or counted >= least)
        print(f"{kind:9s} {len(names) - len(left)} of {len(names)} noticed, {share:.1f} %"
              + (f", of those that a device could notice {counted:.1f} %" if listed else "") + f"; at least {least} %")
    for name in survivors:
        mutant = chosen[name]
        print(f"  survives{'' if name in known else ', not listed'}: ixgbe/{mutant.file}:{mutant.line}: {name}")
        good = good and (name in known or mutant.kind != "deletion")
    if whole:
        for name in known:
            if name not in chosen:
                print(f"  listed as a survivor, but no mutant: {name}")
                good = False
            elif name not in survivors:
                print(f"  listed as a survivor, but noticed: {name}")
    seconds = [run.seconds for run in runs.values()]
    print(f"{len(seconds)} mutants, {sum(seconds) / len(seconds):.1f} s each, {jobs} at a time")
    return good


def sampled(names, named, count, rng):
    known, left = expected(), []
    for kind in MEASURES:
        of_kind = [name for name in names if named[name].kind == kind and name not in known]
        wanted = count // 3 if kind == "deletion" else count // 6
        left += rng.sample(of_kind, min(wanted, len(of_kind)))
    return left


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1 << 31))
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=JOBS)
    return parser.parse_args()


def main():
    given = options()
    build = os.path.abspath(given.build)
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ixtap-mutants-") as folder:
        named, copies = mutants.make(TOP, folder)
        judge = Judge(build, compiled(build, folder, copies), folder, given.seed)
        plain = judge(0)  # no mutant
        if plain.noticed_by:
            print(f"the driver without a change fails: {plain.noticed_by}")
            return 1
        judge.limit_s = max(LEAST_LIMIT_S, 5 * plain.seconds)
        names = [name for name in named if re.search(given.only, name)]
        if given.sample:
            names = sampled(names, named, given.sample, random.Random(given.seed))
        runs = {}
        with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
            known = expected()
            jobs = {pool.submit(judge if name in known else judge.persistently, named[name].number): name
                    for name in names}
            for job in concurrent.futures.as_completed(jobs):
                name = jobs[job]
                runs[name] = job.result()
                print(f"[{len(runs)}/{len(names)}] {runs[name].seconds:.1f} s  {name}: "
                      f"{runs[name].noticed_by or 'SURVIVES'}", flush=True)
        whole = not given.sample and not given.only
        return 0 if report({name: named[name] for name in names}, runs, known, whole, given.jobs) else 1


if __name__ == "__main__":
    sys.exit(main())

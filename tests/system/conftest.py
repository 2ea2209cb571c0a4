# SPDX-License-Identifier: MIT
import os
import signal

import pytest

import rig as rig_module


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: times something, or measures the use of a processor: "
                            "no other test runs meanwhile")
    config.addinivalue_line("markers", "scripts: runs no program of ours that is written in C")
    missing = [path for path in (rig_module.IXTAPD, rig_module.IXNIC, rig_module.IXTAP,
                             rig_module.IXLAT)
               if not os.access(path, os.X_OK)]
    if missing:
        pytest.exit(f"not built: {', '.join(missing)} (IXTAP_BUILD names the build tree)", 2)
    if os.geteuid() != 0:
        pytest.exit("needs root: it makes network namespaces", 2)
    # Background jobs of a script ignore SIGINT, and nohup ignores SIGHUP. The programs under test would
    # inherit that; a handler is not inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, lambda *_: None)


def pytest_collection_modifyitems(items):
    if not rig_module.sanitized():
        return
    for item in items:
        if item.get_closest_marker("scripts"):
            item.add_marker(pytest.mark.skip(reason="runs no program that a sanitizer sees"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the daemons' logs with a failure."""
    report = (yield).get_result()
    made = item.funcargs.get("rig") if hasattr(item, "funcargs") else None
    if report.failed and made is not None:
        for daemon in made.daemons:
            if not daemon.log.closed:
                name, text = f"stderr of pid {daemon.pid}", daemon.errors()[-6000:]
                report.sections.append((f"Captured {name}", text))
                item.add_report_section(call.when, name, text)  # JUnit's file has what the teardown's report has


@pytest.fixture(autouse=True)
def nothing_left_behind():
    yield
    found = rig_module.leftovers()
    assert not found, "left behind: " + "; ".join(found)


@pytest.fixture
def rig():
    made = rig_module.Rig()
    try:
        yield made
        made.stop()
    finally:
        made.tear_down()


@pytest.fixture
def bridge(rig):
    return rig.bridge()


@pytest.fixture(scope="session")
def sanitized():
    return rig_module.sanitized()

# SPDX-License-Identifier: MIT
"""What a step with the driver costs per frame, in instructions: no more, and no less, than is on record for this
compiler. Callgrind counts the same whatever else the machine does. A change that is meant is put on record by
`tests/bench driver --record`, and is part of the commit."""
import os
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "benchmarks"))

import bench_driver  # noqa: E402

TOLERANCE = 0.01


@pytest.fixture(scope="session")
def program():
    return bench_driver.build(bench_driver.TREE)


@pytest.fixture(scope="session")
def on_record(program):
    assert bench_driver.build_summary(bench_driver.TREE) == {"optimization": "2", "assertions": False}, \
        f"{bench_driver.TREE} is built otherwise: remove it"
    compiler = bench_driver.compiler(bench_driver.TREE)
    found = bench_driver.recorded().get(compiler)
    if not found:
        pytest.skip(f"no counts are on record for {compiler}: tests/bench driver --record puts them there")
    return found


@pytest.mark.parametrize("batch", bench_driver.RECORDED_BATCHES)
@pytest.mark.parametrize("mode", bench_driver.MODES)
@pytest.mark.parametrize("loops", ["vectors", "plain"])
def test_cost(program, on_record, loops, mode, batch):
    if loops == "vectors" and not bench_driver.has_vectors():
        pytest.skip("this processor has no AVX2")
    counted = bench_driver.count_instructions(program, mode, batch, plain=loops == "plain")
    before = on_record[loops][mode][str(batch)]
    assert abs(counted - before) <= TOLERANCE * before, \
        f"{mode} at batch {batch}, {loops}: {counted:.1f} instructions per frame, on record are {before:.1f}"

"""A process of its own: what it answers, and what it holds."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from benchmarks import apart
from deepmnist.prediction import usable_cores

MIB = 2**20


def test_a_function_is_run_in_another_process() -> None:
    assert apart.run(os.getpid) != os.getpid()
    with pytest.raises(ZeroDivisionError):
        apart.run(divmod, 1, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="holding to cores is Linux's")
def test_a_function_held_to_one_core_has_one_and_ours_are_given_back() -> None:
    ours = usable_cores()
    assert apart.on_one_core(usable_cores) == 1
    with pytest.raises(ZeroDivisionError):
        apart.on_one_core(divmod, 1, 0)
    assert usable_cores() == ours


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_what_is_held_now_is_not_the_most_that_ever_was() -> None:
    before = apart.held("VmRSS")
    filled = np.ones(64 * MIB, np.uint8)
    full = apart.held("VmRSS")
    assert full - before > 60 * MIB
    del filled
    assert apart.held("VmRSS") < full - 60 * MIB
    assert apart.held("VmHWM") >= full - MIB  # which the system counts now and then

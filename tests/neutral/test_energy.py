"""Energy counters, made of files and scripts as a machine has them, and the cost of a run."""

import os
import sys
import time
from types import SimpleNamespace

import pytest

from tlhelpers.legacy import energy


@pytest.fixture
def zone(tmp_path):
    """A package with a counter that wraps at 1 joule, and a part of it, which must not be counted twice."""
    for folder, name in (("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:1", "psys")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "name").write_text(f"{name}\n")
        (tmp_path / folder / "energy_uj").write_text("400000\n")
        (tmp_path / folder / "max_energy_range_uj").write_text("1000000\n")
    return tmp_path / "intel-rapl:0"


def test_package_is_counted_once_and_over_its_end(zone):
    (counter,) = energy.find_energy_counters(zone.parent, "no-such-command")
    assert counter.name == "RAPL package-0"
    (zone / "energy_uj").write_text("900000")
    assert counter.poll() == pytest.approx(0.5)
    (zone / "energy_uj").write_text("100000")
    assert counter.poll() == pytest.approx(0.2)
    assert counter.poll() == 0


@pytest.mark.parametrize("broken", ["", "not a number"])
def test_a_counter_that_cannot_be_read_is_left_out(zone, broken):
    (zone / "energy_uj").write_text(broken)
    assert energy.find_energy_counters(zone.parent, "no-such-command") == []


def test_no_counter_at_all(tmp_path):
    assert energy.find_energy_counters(tmp_path / "none", "no-such-command") == []


def script(tmp_path, text):
    path = tmp_path / "nvidia-smi"
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(os.name == "nt", reason="a script stands in for the driver's command")
class TestNvidia:
    def test_power_is_summed_over_cards_and_time(self, tmp_path):
        (counter,) = energy.find_energy_counters(tmp_path, script(tmp_path, "print('100.0')\nprint('50.0')"))
        started = time.perf_counter()
        time.sleep(0.1)
        joules, seconds = counter.poll(last=True), time.perf_counter() - started
        assert 0 < joules <= 150 * (seconds + 1)
        assert joules >= 150 * 0.1

    @pytest.mark.parametrize("text", ["print('[N/A]')", "raise SystemExit(9)", "print('No devices were found')"])
    def test_a_driver_without_a_card(self, tmp_path, text):
        assert energy.find_energy_counters(tmp_path, script(tmp_path, text)) == []


def test_run_with_a_counter():
    counter = SimpleNamespace(name="fake", poll=lambda last=False: 2.5 if last else 0.0)
    counter = _hashable(counter)
    result, cost = energy.measure_run(lambda: (time.sleep(0.12), "done")[1], lambda: [counter])
    assert result == "done"
    assert cost.joules == 2.5
    assert cost.counters == ("fake",)
    assert 0.1 < cost.seconds < 5
    assert "fake" in energy.describe_energy(cost)


def test_run_without_a_counter_says_so_and_invents_nothing():
    _, cost = energy.measure_run(lambda: None, list)
    assert cost.joules is None
    assert cost.counters == ()
    assert "no energy counter" in energy.describe_energy(cost)
    assert "ningún contador" in energy.describe_energy(cost, "es")


def test_a_counter_that_falls_silent_is_not_reported():
    class Silent:
        name = "silent"

        def poll(self, last=False):
            raise OSError

    assert energy.measure_run(lambda: None, lambda: [Silent()])[1].joules is None


def test_an_error_in_the_run_is_passed_on_and_the_watch_ends():
    import threading

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        energy.measure_run(lambda: 1 / 0, list)
    assert threading.active_count() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory is resident")
def test_peak_memory_sees_what_was_freed_again():
    import numpy as np

    def action():
        np.ones(25_000_000)  # 200 MB, all of it touched
        block = np.ones(25_000_000)
        time.sleep(0.3)
        del block

    quiet = energy.measure_run(lambda: time.sleep(0.1), list)[1].peak_bytes
    assert energy.measure_run(action, list)[1].peak_bytes > quiet + 150e6


def _hashable(counter):
    return type("Fake", (), {"name": counter.name, "poll": staticmethod(counter.poll)})()

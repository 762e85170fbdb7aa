"""Compressed while the line is the limit, plain while the processor is."""

from ctmonitor.sources.coding import Coding


class _Machine:
    """A clock, and a processor that was busy for a share of each second."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.used_s = 7.0
        self.coding = Coding(lambda: self.now_s, lambda: self.used_s)

    def asks_after(self, seconds: float, *, busy: float) -> str:
        self.now_s += seconds
        self.used_s += seconds * busy
        return self.coding.header()


def test_the_first_requests_ask_for_gzip() -> None:
    machine = _Machine()
    assert machine.asks_after(0.0, busy=1.0) == "gzip, identity"
    assert machine.asks_after(0.4, busy=1.0) == "gzip, identity"


def test_a_busy_processor_asks_for_plain_bodies_and_goes_on_so() -> None:
    machine = _Machine()
    assert machine.asks_after(0.6, busy=0.95) == "identity"
    # Less to unpack: it is less busy, and still the limit.
    assert machine.asks_after(0.6, busy=0.7) == "identity"


def test_a_slow_line_asks_for_gzip() -> None:
    machine = _Machine()
    assert machine.asks_after(60.0, busy=0.8) == "gzip, identity"


def test_plain_bodies_that_are_too_many_for_the_line_are_given_a_rest() -> None:
    machine = _Machine()
    assert machine.asks_after(1.0, busy=1.0) == "identity"
    assert machine.asks_after(1.0, busy=0.3) == "gzip, identity"
    for _ in range(59):
        assert machine.asks_after(1.0, busy=1.0) == "gzip, identity"
    assert machine.asks_after(1.0, busy=1.0) == "identity"


def test_after_a_pause_in_which_nothing_was_read_gzip_is_asked_for() -> None:
    machine = _Machine()
    machine.asks_after(1.0, busy=1.0)
    assert machine.asks_after(15.0, busy=0.02) == "gzip, identity"

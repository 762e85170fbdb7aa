"""Log lines at a bounded rate."""

from ctmonitor.monitor.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_first_of_each_period_pass_and_the_rest_is_counted() -> None:
    clock = Clock()
    throttle = Throttle(2, 60.0, clock)
    assert [throttle.admits() for _ in range(5)] == [True, True, False, False, False]
    assert throttle.held_back() == 3
    assert throttle.held_back() == 0, "told once"
    clock.now_s += 59.9
    assert not throttle.admits()
    clock.now_s += 0.1
    assert [throttle.admits() for _ in range(3)] == [True, True, False]
    assert throttle.held_back() == 2

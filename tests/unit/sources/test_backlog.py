"""When a log is said to be read too slowly."""

from ctmonitor.sources.backlog import Backlog, Behind


def run(
    read_rate: float, growth: float, behind: int, seconds: int = 1200
) -> list[Behind]:
    """Figures of a log that is read at a rate, observed every 15 s."""
    backlog = Backlog()
    told = []
    for now in range(0, seconds, 15):
        size = 1_000_000 + int(growth * now)
        position = min(size, 1_000_000 - behind + int(read_rate * now))
        if change := backlog.observe(float(now), position, size):
            told.append(change)
    return told


def test_a_log_that_grows_faster_than_it_is_read_is_told_once() -> None:
    (change,) = run(100, 400, 0)
    assert change.is_behind
    assert str(change) == (
        "backlog 36000 entries, read 100.0 a second, the log grows by 400.0"
    )


def test_catching_up_is_not_falling_behind() -> None:
    assert run(1000, 400, 2_000_000) == []


def test_a_short_backlog_is_no_news() -> None:
    assert run(390, 400, 0) == []


def test_nothing_is_said_in_the_first_two_minutes() -> None:
    assert run(0, 4000, 0, seconds=120) == []
    assert len(run(0, 4000, 0, seconds=136)) == 1


def test_when_it_is_read_again_that_is_told_as_well() -> None:
    backlog = Backlog()
    told = []
    for now in range(0, 3600, 15):
        size = 400 * now
        position = 100 * now if now < 600 else min(size, 60_000 + 900 * (now - 600))
        if change := backlog.observe(float(now), position, size):
            told.append(change.is_behind)
    assert told == [True, False]

"""What each program removes, the first of a day."""

from datetime import timedelta
from pathlib import Path

from ctmonitor.cli.forgetting import forget_old
from ctmonitor.model.clock import now_utc
from ctmonitor.model.followup import Channel, OutboxItem
from ctmonitor.model.own import DomainState
from ctmonitor.store.store import open_store
from tests.unit.store.watching import DOMAIN, seen


def test_what_the_watch_leaves_behind_is_removed_once_a_day(tmp_path: Path) -> None:
    """Where no scanner runs, its messages and sightings would pile up."""
    now = now_utc()
    with open_store(db_file=tmp_path / "a.sqlite3", url="", table="CertMon") as store:
        states, box = store.own_states(), store.own_states().box()

        def add(number: int) -> None:
            item = OutboxItem(f"own:{number}:webhook", Channel.WEBHOOK, {"id": "1"})
            with states.lock("a", 60.0):
                states.save(DomainState(DOMAIN), [item])
            due = box.due(now_utc(), 9, 60.0, "a")
            box.sent([each.id for each in due], now_utc())
            store.record([], own=[seen(f"l:{number}")])

        def left() -> tuple[int, int]:
            sightings = store.own_sightings().after(0, [DOMAIN], 9)
            return store.outbox().forget(now - timedelta(days=9)), len(sightings)

        add(1)
        forget_old(store, 0, now + timedelta(days=40))
        forget_old(store, 30, now)
        assert left() == (0, 1)
        forget_old(store, 30, now + timedelta(days=40))
        assert left() == (0, 0)
        add(2)
        forget_old(store, 30, now + timedelta(days=40))  # that day had its turn
        assert left() == (0, 1)
        forget_old(store, 30, now + timedelta(days=41))
        assert left() == (0, 0)
        assert not box.due(now + timedelta(days=50), 9, 60.0, "b")

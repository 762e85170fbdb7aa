"""What is remembered of own domains, shown and changed by hand."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ctmonitor.cli import console, watching
from ctmonitor.config import Config
from ctmonitor.errors import ConfigError, StoreError, Unreadable
from ctmonitor.model.clock import now_utc, utc_text
from ctmonitor.model.own import Authority, DomainState, OwnAlert
from ctmonitor.model.text import shortened
from ctmonitor.store.holder import this_process
from ctmonitor.watch.authorities import without_doubles
from ctmonitor.watch.listing import listing

if TYPE_CHECKING:
    from ctmonitor.store.ownstate import StateStore

_LEASE_S = 60.0


def show(config: Config, form: str) -> int:
    """Prints all alerts, those of [OWN] Domains alone where there are any."""
    alerts: list[OwnAlert] = []
    failed: list[str] = []
    with _states(config) as states:
        for domain in _domains(config, states):
            state = _loaded(states, domain, failed)
            alerts += state.alerts if state is not None else []
    told = [each for each in alerts if not each.is_baseline]
    print(listing(told, form, now_utc()), end="")
    if form == "text" and not told:
        console.complain(f"no alerts in {states.label}")
    return console.FAILED if failed else console.DONE


def acknowledge(config: Config, ids: Sequence[str]) -> int:
    """Marks alerts as known to a person; ids that are none are named."""
    wanted = dict.fromkeys(each.lower() for one in ids for each in one.split(","))
    left = set(wanted)
    failed: list[str] = []
    now = utc_text(now_utc()) or ""
    with _states(config) as states, states.lock(this_process(), _LEASE_S):
        for domain in states.domains():
            state = _loaded(states, domain, failed)
            mine = [each for each in state.alerts if each.id in left] if state else []
            for alert in mine:
                alert.acknowledged = alert.acknowledged or now
                left.discard(alert.id)
                print(f"acknowledged {alert.id}: {shortened(alert.summary, 500)}")
            if state is not None and mine:
                states.save(state)
    for unknown in (each for each in wanted if each in left):
        console.complain(
            f"no alert has the id {shortened(unknown, 60)!r}; --list shows all"
        )
    return console.FAILED if left or failed else console.DONE


def authorise(config: Config, added: Sequence[Authority]) -> int:
    """Notes CAs that may issue for all watched domains."""
    found = _states(config, may_begin=True)
    with found as states, states.lock(this_process(), _LEASE_S):
        shared = states.shared()
        shared.authorities = without_doubles(shared.authorities, added)
        states.save_shared(shared)
    for each in added:
        print(f"authorised: {shortened(each.organisation)}, CA {each.ca_id} at crt.sh")
    return console.DONE


@contextmanager
def _states(config: Config, *, may_begin: bool = False) -> "Iterator[StateStore]":
    is_file = not (config.own_state or config.database_url)
    if is_file and not may_begin and not Path(config.db_file).exists():
        raise ConfigError(
            f"The database {config.db_file!r} is not there yet. Name the one of your "
            "runs with --db or -c, or make a run first."
        )
    opened = watching.store(config)
    try:
        states = watching.states(config, opened)
        try:
            states.domains()
        except StoreError as exc:
            raise ConfigError(str(exc)) from exc
        try:
            yield states
        finally:
            states.close()
    finally:
        if opened is not None:
            opened.close()


def _loaded(states: "StateStore", domain: str, failed: list[str]) -> DomainState | None:
    """None for no state, and for one that is damaged: of the others all is shown."""
    try:
        return states.load(domain)
    except Unreadable as exc:
        console.complain(f"{exc}. The next run sets it aside, and begins anew.")
        failed.append(domain)
        return None


def _domains(config: Config, states: "StateStore") -> Sequence[str]:
    return config.own_domains or states.domains()

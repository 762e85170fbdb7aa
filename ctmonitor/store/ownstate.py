"""What is remembered of watched domains between runs, wherever it is kept."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from ctmonitor.model.followup import OutboxItem
from ctmonitor.model.own import DomainState, SharedState

if TYPE_CHECKING:  # a Lambda function with its state in S3 loads no database
    from ctmonitor.store.outbox import Outbox
    from ctmonitor.store.ownpending import Pending


class StateStore(Protocol):
    """
    One document for each watched domain, and one that they share.

    Used by one run at a time, inside `lock`. Every method may raise StoreUnavailable
    (nothing was written; the same later may succeed) and StoreError (waiting does not
    help: no bucket, a right is missing; the sentence says which).
    """

    @property
    def label(self) -> str:
        """What it is and where, for people; without secrets."""
        ...

    def lock(self, owner: str, lease_s: float) -> AbstractContextManager[None]:
        """
        Keeps all other runs out while the block lasts.

        Args:
            owner: names this run; unlike any other's.
            lease_s: how long after the last `renew` it lasts when this process dies
                (a directory is free at once then).

        Raises:
            Busy: another run has it; at once, without waiting.
        """
        ...

    def renew(self) -> None:
        """
        Lets the lease begin anew; cheap enough to be called before each step.

        Raises:
            Busy: it ended, and another run took over: tell nothing any more.
        """
        ...

    def load(self, domain: str) -> DomainState | None:
        """
        What `save` wrote last; None for a domain that is not known.

        The bare number that older scripts keep (`1234`, `"1234"`) becomes a state with
        the mark of Cert Spotter alone.

        Raises:
            Unreadable: there is something else.
        """
        ...

    def set_aside(self, domain: str) -> str:
        """
        Keeps a copy of a document that cannot be read, and returns its name; empty
        when there is none. The document itself stays until `save` replaces it, so that
        a run that ends before meets it again.

        Raises:
            Busy: see `save`.
        """
        ...

    def save(self, state: DomainState, items: Sequence[OutboxItem] = ()) -> None:
        """
        Writes the state, and with it the messages that tell of it: both or nothing.

        It is durable at return, and only then `box` gives the messages. An item with a
        known key is left out. `state.pending` is the store's own and is set by it.

        Raises:
            Busy: the lock is not held any more, or another run wrote the document.
        """
        ...

    def domains(self) -> list[str]:
        """The domains that are known, sorted; without documents set aside."""
        ...

    def shared(self) -> SharedState:
        """
        What all domains share; empty when nothing was saved.

        Raises:
            Unreadable: it is damaged; the sentence says what to do.
        """
        ...

    def save_shared(self, shared: SharedState) -> None:
        """
        Writes what all domains share; durable at return.

        Raises:
            Busy: see `save`.
        """
        ...

    def box(self) -> "Outbox | Pending":
        """
        The messages on their way, for `ctmonitor.alerts.outbox.Sender`.

        A database has them of all domains; else of those that this store has loaded
        or saved.
        """
        ...

    def close(self) -> None:
        """Gives connections free; a second call does nothing."""
        ...

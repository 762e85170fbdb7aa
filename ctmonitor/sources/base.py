"""What the monitor asks of a source, and a source of the rules."""

from collections.abc import AsyncIterator
from typing import Protocol

from ctmonitor.model.batch import Batch


class Scanner(Protocol):
    """The prefilter as a source uses it."""

    def ends(self, data: bytes) -> list[int]:
        """Where in `data` something worth a look ends, ascending."""
        ...


class Source(Protocol):
    """
    A stream of batches.

    One consumer iterates; it stores a batch before it asks for the next, so the cursor
    of a batch is true when the source goes on.
    """

    def batches(self) -> AsyncIterator[Batch]:
        """
        The batches until the source ends or is stopped; to be called once.

        Raises:
            SourceError: the source is unusable and trying again will not help. What
                was received before has been handed on.
        """
        ...

    def use(self, scanner: Scanner | None) -> None:
        """
        Filter by `scanner` from the next batch on; None hands on everything.

        Called between two batches, by the consumer.
        """
        ...

    def stop(self) -> None:
        """End soon; what was received is still handed on. For signal handlers."""
        ...

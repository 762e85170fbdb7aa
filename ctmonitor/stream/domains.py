"""The names of all certificates, one a line, each once within a while."""

from collections.abc import Callable, Iterable

from ctmonitor.ct.entry import CERTIFICATE_AT, TBS_CERTIFICATE_AT, TYPE_AT
from ctmonitor.ct.names import plain_names
from ctmonitor.model.log import Log
from ctmonitor.model.text import printable
from ctmonitor.stream.entry import read_entry
from ctmonitor.stream.inbox import Run

# Names that are remembered: a busy hour of all logs gives some millions, and a name
# comes again within seconds (precertificate and certificate, in several logs).
WINDOW_NAMES = 100_000
# Longer ones are not remembered, since a hostile log fills certificates of 16 MB with
# them; those that lead to a host have 253 at most.
_MOST_CHARACTERS = 500

NoteMalformed = Callable[[Log, int, str], None]


class Distinct:
    """Names that did not come lately."""

    def __init__(self, window: int = WINDOW_NAMES) -> None:
        """
        Args:
            window: the last so many distinct names are remembered, at most twice them.
        """
        self._window = window
        self._young: set[str] = set()
        self._old: set[str] = set()

    def of(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that are not remembered, which from now on most are."""
        young, old = self._young, self._old
        found = []
        for name in names:
            if name in young:
                continue
            if len(name) > _MOST_CHARACTERS:
                found.append(name)
                continue
            young.add(name)
            if name not in old:
                found.append(name)
        if len(young) >= self._window:
            self._old, self._young = young, set()
        return found


def names_of(run: Run, note_malformed: NoteMalformed) -> list[str]:
    """
    The names of all entries of a run, in order, with doubles.

    Most certificates are only stepped through; what is broken in one beside its names
    is not noticed then.
    """
    leaves = run.leaves
    names: list[str] = []
    if leaves is None:
        return names
    data, lead = leaves.data, leaves.lead
    text = data.decode("latin-1")
    malformed = leaves.malformed
    for number, (start, end) in enumerate(leaves.spans[: run.count]):
        found = None
        if number not in malformed:
            at = start + lead
            is_precert = data[at + TYPE_AT] == 1
            at += TBS_CERTIFICATE_AT if is_precert else CERTIFICATE_AT
            found = plain_names(data, text, at, end, is_precert)
        if found is not None:
            names += found
            continue
        entry = read_entry(run.log, leaves, number)
        names += entry.domains
        if entry.malformed:
            note_malformed(run.log, entry.index, entry.malformed)
    return names


def lines(names: Iterable[str]) -> str:
    """One name a line, safe to show."""
    text = "\n".join(names)
    if not (text.isascii() and text.replace("\n", "").isprintable()):
        text = "\n".join(map(printable, names))
    return text + "\n" if text else ""

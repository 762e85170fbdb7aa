"""
The files of rules that [SEARCH] names: read at start, and again when they change.

A file that is wrong stops the start, and changes nothing later: what it said when it
was last good stays in force. The list of popular domains comes from others, so it never
stops anything.
"""

import gzip
import io
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from ctmonitor.errors import ConfigError
from ctmonitor.model.clock import from_epoch, now_utc
from ctmonitor.model.text import printable
from ctmonitor.rules.allowlist import AllowList, parse_allowlist
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.brands import parse_brands
from ctmonitor.rules.popular import PopularDomains, parse_popular
from ctmonitor.rules.regexes import Regexes, parse_regexes

# A million popular domains are 22 MB; what is larger than this is no file of rules.
MAX_BYTES = 64 * 1024 * 1024

_GZIP = b"\x1f\x8b"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

# Of a file: device, inode, size and time of its last change; None when it cannot be
# looked at.
_Look = tuple[int, int, int, int] | None

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FileRules:
    """
    What the files say.

    Args:
        warnings: sentences on what is odd in them, and does not stop anything.
        described: a line for each file in force, with how much it holds.
    """

    regexes: Regexes
    allowed: AllowList
    brands: tuple[Brand, ...]
    popular: PopularDomains
    warnings: tuple[str, ...]
    described: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reread:
    """
    What came of reading the files that changed.

    Args:
        rules: of all files as they are in force now; None when nothing else is in force
            than before.
        problems: sentences on files that cannot be used, and of which what they said
            before stays in force.
    """

    rules: FileRules | None
    problems: tuple[str, ...]


class RuleFiles:
    """
    The files of one configuration. For one thread at a time; `has_changed` may be
    called while `reread` runs in another.
    """

    def __init__(
        self,
        *,
        regex_file: str = "",
        allow_file: str = "",
        brand_file: str = "",
        popular_file: str = "",
        popular_ranks: int = 100_000,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        """
        Args:
            regex_file, allow_file, brand_file, popular_file: paths; empty for none.
            popular_ranks: how many lines of the list of popular domains count.
        """
        self._now = now
        popular = partial(parse_popular, ranks=popular_ranks)
        self._regexes = _File(regex_file, parse_regexes, Regexes())
        self._allowed = _File(allow_file, parse_allowlist, AllowList())
        self._brands = _File[tuple[Brand, ...]](brand_file, parse_brands, ())
        self._popular = _File(popular_file, popular, PopularDomains())
        every = (self._regexes, self._allowed, self._brands, self._popular)
        self._files = [file for file in every if file.path]
        self._looks = self._look()

    def read(self) -> FileRules:
        """
        What all files say, read anew.

        Raises:
            ConfigError: with the problems of all files.
        """
        problems: list[str] = []
        warnings: list[str] = []
        for file in self._files:
            try:
                file.read()
            except ConfigError as exc:
                if file is self._popular:
                    warnings.extend(exc.problems)
                    warnings.append(self._staying(file))
                else:
                    problems.extend(exc.problems)
        if problems:
            raise ConfigError(problems)
        return self._rules(warnings)

    def has_changed(self) -> bool:
        """
        Whether a file is another than when it was read; costs one look at each.

        A file that somebody is writing is left alone: it counts once two calls have
        seen it alike.
        """
        before, self._looks = self._looks, self._look()
        return any(
            look == earlier != file.look
            for file, look, earlier in zip(
                self._files, self._looks, before, strict=True
            )
        )

    def reread(self) -> Reread:
        """What changed; a file that is wrong is told once for each of its changes."""
        problems: list[str] = []
        is_new = False
        for file in self._files:
            if file.look == _look(file.path):
                continue
            try:
                file.read()
                is_new = True
            except ConfigError as exc:
                problems.extend(exc.problems)
                problems.append(self._staying(file))
        return Reread(self._rules(()) if is_new else None, tuple(problems))

    def _staying(self, file: "_AnyFile") -> str:
        if not file.is_good:
            return f"{file.shown}: popular domains are not known until it is right."
        age = file.age(self._now())
        return f"{file.shown}: what it said before stays in force{age}."

    def _look(self) -> list[_Look]:
        return [_look(file.path) for file in self._files]

    def _rules(self, warnings: Iterable[str]) -> FileRules:
        told = [
            *self._regexes.value.warnings,
            *self._allowed.value.warnings,
            *self._popular.value.warnings,
            *warnings,
        ]
        return FileRules(
            self._regexes.value,
            self._allowed.value,
            self._brands.value,
            self._popular.value,
            tuple(told),
            tuple(self._described()),
        )

    def _described(self) -> Iterator[str]:
        for what, file in (
            ("expressions", self._regexes),
            ("allow-list", self._allowed),
            ("brands", self._brands),
            ("popular domains", self._popular),
        ):
            if file.is_good:
                age = file.age(self._now()) if file is self._popular else ""
                yield f"{what}: {len(file.value)}, from {file.shown}{age}"


class _File(Generic[_T]):
    """
    One file, and what it said when it was last good.

    Attributes:
        look: of its last reading, also of one that failed.
        is_good: whether it ever was good.
    """

    def __init__(self, path: str, parse: Callable[[str, str], _T], empty: _T) -> None:
        self.path = path
        self.shown = printable(path)
        self.value = empty
        self.look: _Look = None
        self.is_good = False
        self._modified: datetime | None = None
        self._parse = parse

    def read(self) -> None:
        """Raises ConfigError when it cannot be used; nothing else changes then."""
        # Before the reading: what is written meanwhile is another look.
        self.look = look = _look(self.path)
        self.value = self._parse(_text(self.path, self.shown), self.path)
        self.is_good = True
        self._modified = None if look is None else from_epoch(look[3] / 1e9)

    def age(self, now: datetime) -> str:
        """`, 3 days old`: what it said when it was last good; empty when unknown."""
        if self._modified is None:
            return ""
        minutes = max(0, int((now - self._modified).total_seconds() // 60))
        for size, unit in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
            if minutes >= size:
                count = minutes // size
                return f", {count} {unit}{'s' if count > 1 else ''} old"
        return ", less than a minute old"


_AnyFile = (
    _File[Regexes] | _File[AllowList] | _File[tuple[Brand, ...]] | _File[PopularDomains]
)


def _look(path: str) -> _Look:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _text(path: str, shown: str) -> str:
    """
    The text of a file, unpacked if it is gzip's.

    Raises:
        ConfigError: it cannot be read, or is no text in UTF-8.
    """
    content = _content(path, shown)
    if content.startswith(_UTF_16):
        raise ConfigError(f"{shown}: begins like UTF-16. Save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise ConfigError(
            f"{shown}, line {line}: is no UTF-8 (byte 0x{content[exc.start]:02x}). "
            "Save the file as UTF-8."
        ) from exc


def _content(path: str, shown: str) -> bytes:
    try:
        # A pipe would be waited for, and could not be read a second time.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise ConfigError(f"{shown}: is no regular file. Name one in [SEARCH].")
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as exc:
        from_where = (
            "" if Path(path).is_absolute() else ", which begins where this was started"
        )
        raise ConfigError(
            f"{shown}: there is no such file. Create it, or correct its path in "
            f"[SEARCH]{from_where}."
        ) from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise ConfigError(
            f"{shown}: cannot be read: {reason}. Give this user the right to read it, "
            "or name another file in [SEARCH]."
        ) from exc
    if content.startswith(_GZIP):
        content = _unpacked(content, shown)
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"{shown}: is larger than {MAX_BYTES // 1024**2} MB, so it is no file of "
            "rules. Name another file in [SEARCH]."
        )
    return content


def _unpacked(content: bytes, shown: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as exc:
        raise ConfigError(
            f"{shown}: cannot be unpacked: {exc}. Fetch or pack it anew."
        ) from exc

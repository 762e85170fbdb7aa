"""
References in a value: `%(Key)s` to another key, then `${NAME}` to the environment.

The first is that of Python's ConfigParser, on which the files of CertStreamMonitor
rely, but a `%` that begins no reference stands for itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ctmonitor.errors import ConfigError
from ctmonitor.ini import Entry, IniFile
from ctmonitor.model.text import shortened

_MAX_CHARACTERS = 1024 * 1024
_MAX_DEPTH = 10  # one within another, as ConfigParser has it

_REFERENCE = re.compile(r"%%|%\(([^)]+)\)s")
_VARIABLE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Resolved:
    """
    A value with all references replaced.

    Args:
        keys: the keys, in lower case, whose values it holds.
        variables: the environment variables, in order.
    """

    text: str
    keys: frozenset[str]
    variables: tuple[str, ...]


def keys_in(raw: str) -> set[str]:
    """The keys, in lower case, to which a value as it stands in a file refers."""
    return {match[1].lower() for match in _REFERENCE.finditer(raw) if match[1]}


def resolved(
    file: IniFile, section: str, entry: Entry, environ: Mapping[str, str]
) -> Resolved:
    """
    The value of an entry that counts in `section`.

    Raises:
        ConfigError: with a sentence for each reference that leads nowhere.
    """
    keys: set[str] = set()
    text = _interpolated(file, section, entry, keys)
    variables: dict[str, None] = {}  # a set that keeps the order

    def replaced(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        variables[match[2]] = None
        return environ.get(match[2], "")

    text = _VARIABLE.sub(replaced, text)
    if missing := [name for name in variables if name not in environ]:
        raise ConfigError(
            [
                f"the environment has no variable {name}. Set it, or write "
                f"$${{{name}}} if the text ${{{name}}} itself is meant."
                for name in missing
            ]
        )
    return Resolved(
        text=text.strip() if variables else text,
        keys=frozenset(keys),
        variables=tuple(variables),
    )


def _interpolated(file: IniFile, section: str, entry: Entry, keys: set[str]) -> str:
    """The value with `%%` and `%(key)s` replaced; `keys` grows by those needed."""
    fetched = 0  # characters, so that references to references grow no further

    def expanded(raw: str, chain: tuple[str, ...]) -> str:
        def replaced(match: re.Match[str]) -> str:
            return value(match[1], chain) if match[1] else "%"

        return _REFERENCE.sub(replaced, raw)

    def value(name: str, chain: tuple[str, ...]) -> str:
        nonlocal fetched
        key = name.lower()
        other = file.entry(section, key)
        if other is None:
            raise ConfigError(
                f"%({shortened(name)})s stands for the value of a key that "
                f"[{section}] does not have. Add it, or write %% for a plain %."
            )
        if key in chain or len(chain) > _MAX_DEPTH:
            raise ConfigError(
                f"%({shortened(name)})s leads back to itself or through more than "
                f"{_MAX_DEPTH} keys. Write the value out."
            )
        raw = other.raw
        fetched += len(raw) + 1  # an empty value takes time, too
        if fetched > _MAX_CHARACTERS:
            raise ConfigError(
                f"is longer than {_MAX_CHARACTERS:,} characters when all %(keys)s in "
                "it are replaced. Write the value out."
            )
        keys.add(key)
        return expanded(raw, (*chain, key))

    return expanded(entry.raw, (entry.key.lower(),))

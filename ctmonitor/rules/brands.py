"""
A file of brands: a list in JSON, or an INI file with a section a brand.

    [{"brand": "PayPal", "names": ["paypal"], "domains": ["paypal.com"],
      "words": ["wallet"]}]

    [PayPal]
    names = paypal
    domains = paypal.com, paypal.me
    words = wallet

Without `names` the name of the brand is its spelling. A spelling may be written as
people write it: `Cr\u00e9dit Agricole` stands for `creditagricole` and
`credit-agricole`, `M\u00fcller` for `muller` and `mueller`.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ctmonitor.model.suffix import suffixes
from ctmonitor.model.text import shortened
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.hostname import host_name
from ctmonitor.rules.lines import Problems, rule_lines

# Each spelling costs about 10 ms when the rules are compiled.
MAX_SPELLINGS = 1_000
_MAX_LABEL = 63  # characters of a label, RFC 1035
_MAX_NAME = 80  # characters of what people are told

_LISTS = ("names", "domains", "words")
_JSON = re.compile(r"\s*(?:\{|\[\s*(?:[\[\]{\"]|\Z))")
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
_SECTION = re.compile(r"\[(.*)\]")
# Letters that NFKD does not take apart, and how German and the languages of the North
# write others without their marks.
_PLAIN = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "\u0131": "i",
    }
)
_TWO_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


@dataclass(frozen=True, slots=True)
class _Written:
    """One brand as it stands in the file; each text with its line."""

    line: int
    name: str
    lists: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


def parse_brands(text: str, path: str) -> tuple[Brand, ...]:
    """
    The brands of a file's text, in its order.

    Args:
        path: of the file, for messages; `.json` makes it JSON, else its text tells.

    Raises:
        ConfigError: with everything that cannot be right, its line, and what to write
            instead.
    """
    problems = Problems(path)
    text = text.removeprefix("\ufeff")
    is_json = path.lower().endswith(".json") or _JSON.match(text)
    written = (_from_json if is_json else _from_ini)(text, problems)
    if not written:
        problems.raise_errors()
        problems.error(0, "holds no brand. Write one, or remove BrandFile.")
    by_name: dict[str, _Written] = {}
    owner_of: dict[str, _Written] = {}  # by spelling
    brands = []
    for each in written:
        first = by_name.setdefault(each.name.casefold(), each)
        if first is not each:
            problems.error(
                each.line,
                f"brand '{shortened(each.name)}' stands in line {first.line} already. "
                "Put the two together.",
            )
            continue
        if not (0 < len(each.name) <= _MAX_NAME and each.name.isprintable()):
            problems.error(
                each.line,
                f"'{shortened(each.name)}' is no name of a brand. Write 1 to "
                f"{_MAX_NAME} characters that can be printed.",
            )
            continue
        brand = _brand(each, problems)
        for spelling in brand.spellings:
            owner = owner_of.setdefault(spelling, each)
            if owner is not each:
                problems.error(
                    each.line,
                    f"'{spelling}' is a spelling of '{shortened(owner.name)}' in line "
                    f"{owner.line}, too. Leave it to one of the two.",
                )
        if len(owner_of) > MAX_SPELLINGS:
            problems.error(
                each.line,
                f"with it there are more than {MAX_SPELLINGS} spellings. Leave out "
                "brands that nobody imitates.",
            )
            break
        brands.append(brand)
    problems.raise_errors()
    return tuple(brands)


def _from_json(text: str, problems: Problems) -> list[_Written]:
    """The brands of a list in JSON; what is wrong is noted in `problems`."""

    def line_at(position: int) -> int:
        return text.count("\n", 0, position) + 1

    found: list[_Written] = []
    line, line_position = 1, 0
    try:
        for position, end, value in _elements(text):
            line += text.count("\n", line_position, position)
            line_position = position
            if not isinstance(value, dict):
                problems.error(
                    line,
                    'is no brand. Write it as {"brand": "paypal", "names": ["paypal"], '
                    '"domains": ["paypal.com"]}.',
                )
                continue

            def line_of(item: str, start: int = position, stop: int = end) -> int:
                at = text.find(json.dumps(item, ensure_ascii=False), start, stop)
                return line_at(max(at, start))

            found.append(_from_object(value, line, line_of, problems))
    except json.JSONDecodeError as exc:
        what = exc.msg.removesuffix(" at")  # `Unterminated string starting at`
        problems.error(
            exc.lineno, f"{what} at column {exc.colno}. Correct the JSON there."
        )
    except (ValueError, RecursionError) as exc:
        reason = "is nested too deep" if isinstance(exc, RecursionError) else str(exc)
        problems.error(line, f"{reason}. Correct the JSON there.")
    return found


def _elements(text: str) -> Iterator[tuple[int, int, Any]]:
    """
    The elements of a list in JSON, with the half-open range of each in `text`.

    Raises:
        ValueError: it is no list, or no JSON.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_without_doubles)
    blank = re.compile(r"\s*")

    def skipped(position: int) -> int:
        match = blank.match(text, position)
        return match.end() if match else position

    at = skipped(0)
    if text[at : at + 1] != "[":
        raise json.JSONDecodeError("Expecting a list of brands", text, at)
    at = skipped(at + 1)
    while text[at : at + 1] != "]":
        value, end = decoder.raw_decode(text, at)
        yield at, end, value
        at = skipped(end)
        if text[at : at + 1] == ",":
            at = skipped(at + 1)
        elif text[at : at + 1] != "]":
            raise json.JSONDecodeError("Expecting ',' or ']'", text, at)
    end = skipped(at + 1)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"'{shortened(key)}' stands twice in a brand")
        found[key] = value
    return found


def _from_object(
    value: dict[str, Any], line: int, line_of: Callable[[str], int], problems: Problems
) -> _Written:
    name = value.pop("brand", "")
    written = _Written(line, name.strip() if isinstance(name, str) else "")
    for key, items in value.items():
        if key not in _LISTS:
            problems.error(line, _unknown(key, "brand, names, domains and words"))
        elif not isinstance(items, list) or not all(isinstance(i, str) for i in items):
            problems.error(line, f"'{key}' is no list of texts. Write [\"...\"].")
        else:
            written.lists[key] = [(line_of(item), item) for item in items]
    return written


def _from_ini(text: str, problems: Problems) -> list[_Written]:
    """The brands of an INI file; what is wrong is noted in `problems`."""
    found: list[_Written] = []
    items: list[tuple[int, str]] | None = None
    for number, line in rule_lines(text, problems):
        stripped = line.strip()
        if stripped.startswith(";"):
            continue
        if header := _SECTION.fullmatch(stripped):
            found.append(_Written(number, header[1].strip()))
            items = None
            continue
        # A line that is indented goes on with the value above it.
        if items is None or not line[0].isspace():
            key, sign, stripped = stripped.partition("=")
            key = key.strip().lower()
            items = None
            if not found:
                problems.error(
                    number,
                    "stands before any brand. Begin with a line such as [paypal].",
                )
                break
            if not sign:
                problems.error(
                    number,
                    f"'{shortened(key)}' has no value. Write names = paypal, or "
                    "indent what belongs to the line above.",
                )
                continue
            if key not in _LISTS:
                problems.error(number, _unknown(key, "names, domains and words"))
                continue
            if key in found[-1].lists:
                problems.error(
                    number, f"'{key}' stands twice in a brand. Put the two together."
                )
                continue
            items = found[-1].lists.setdefault(key, [])
        # Blanks part the items only where no comma does: `credit agricole, ca`.
        parts = stripped.split("," if "," in stripped else None)
        items.extend((number, part.strip()) for part in parts if part.strip())
    return found


def _unknown(key: str, known: str) -> str:
    return f"'{shortened(key)}' is no key of a brand. Write one of {known}."


def _brand(written: _Written, problems: Problems) -> Brand:
    """The brand; what is wrong with it is noted in `problems`."""
    name = written.name
    names = written.lists.get("names") or [(written.line, name)]
    return Brand(
        name,
        tuple(_forms(names, _spellings, problems)),
        frozenset(_forms(written.lists.get("domains", ()), _domains, problems)),
        frozenset(_forms(written.lists.get("words", ()), _words, problems)),
    )


def _forms(
    items: Iterable[tuple[int, str]],
    forms_of: Callable[[str], list[str]],
    problems: Problems,
) -> dict[str, None]:
    """The forms of all texts of one list, in order; what is wrong is noted."""
    forms: dict[str, None] = {}
    line_of: dict[str, int] = {}  # by text
    for line, text in items:
        key = text.strip().casefold()
        if key in line_of:
            problems.error(
                line,
                f"'{shortened(text)}' stands twice in a list, in lines {line_of[key]} "
                f"and {line}. Remove one of them.",
            )
            continue
        line_of[key] = line
        try:
            forms.update(dict.fromkeys(forms_of(text)))
        except ValueError as exc:
            problems.error(line, str(exc))
    return forms


def _spellings(text: str) -> list[str]:
    """
    The forms of one spelling in host names.

    Raises:
        ValueError: there is none; a sentence with the next step.
    """
    shown = shortened(text)
    found = []
    for plain in _plain_forms(text):
        words = re.findall(r"[a-z0-9]+", plain)
        found += ["".join(words), "-".join(words)]
    for spelling in found:
        if len(spelling) < 2:
            raise ValueError(
                f"'{shown}' has fewer than two letters or digits, and stands in every "
                "name. Write what host names spell out, as xbank for X."
            )
        if spelling.replace("-", "").isdigit():
            raise ValueError(
                f"'{shown}' has no letter. Write it with the word that goes with it."
            )
        if len(spelling) > _MAX_LABEL:
            raise ValueError(
                f"'{shown}' is longer than the {_MAX_LABEL} characters of a label. "
                "Write what host names show of it."
            )
    return list(dict.fromkeys(found))


def _words(text: str) -> list[str]:
    """The forms of one word that goes with a brand; see `_spellings`."""
    found = _plain_forms(text)
    for word in found:
        if len(word) < 2 or not word.isalnum():
            raise ValueError(
                f"'{shortened(text)}' is no word. Write letters and digits, two or "
                "more, and several words as several."
            )
    return found


def _plain_forms(text: str) -> list[str]:
    """
    `text` in lower-case ASCII without marks, and with two letters for umlauts.

    Raises:
        ValueError: it has letters that are not Latin.
    """
    lowered = unicodedata.normalize("NFKC", text).lower()
    if lowered.startswith("xn--"):
        lowered = host_name(lowered).unicode[0]
    forms = []
    for whole in (lowered, lowered.translate(_TWO_LETTERS)):
        parts = unicodedata.normalize("NFKD", whole.translate(_PLAIN))
        plain = "".join(c for c in parts if not unicodedata.combining(c))
        if any(c.isalnum() and not c.isascii() for c in plain):
            raise ValueError(
                f"'{shortened(text)}' holds other letters than Latin ones. Write it "
                "as host names do; its look-alikes are found by themselves."
            )
        forms.append(plain)
    return list(dict.fromkeys(forms))


def _domains(text: str) -> list[str]:
    """An own domain in lower-case A-labels; see `_spellings`."""
    shown = shortened(text)
    host = host_name(text.strip())
    name = host.text
    if text.startswith("*.") or not (len(name) <= 253 and _HOST.fullmatch(name)):
        raise ValueError(
            f"'{shown}' is no domain. Write it as example.com; all below it is meant."
        )
    labels = name.split(".")
    if suffixes().split(labels, only_icann=True).at == 0:
        raise ValueError(
            f"'{shown}' is a public suffix, and strangers have names below it. Write "
            f"the brand's own domains, as example.{shown}."
        )
    return [name]

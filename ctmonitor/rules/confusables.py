"""
What a label looks like when it is read as ASCII.

Source: Unicode UTS 39, confusables.txt, as the package `confusable_homoglyphs` carries
it; NFKD for letters with marks. The prototypes of UTS 39 need not be ASCII, so a
letter goes to the ASCII letter or digit of its class where there is one.
"""

import json
import re
import unicodedata
from functools import cache
from importlib import resources

# UTS 39 puts these nowhere, or next to something that is not ASCII: Cyrillic letters,
# Greek ones, letters of Latin alphabets and of phonetic writing.
_LIKE = {
    "2": "ƻ",
    "3": "зʒ",
    "4": "ч",
    "5": "\u01bd",
    "a": "αəɑ",
    "ae": "æ",
    "b": "вьβƅɓʙ",
    "c": "ƈᴄ",
    "d": "đɖɗ",
    "e": "эεɇ",
    "f": "ƒ",
    "g": "ԍɡɢǥ",
    "h": "нħɦⱨ",
    "i": "ιɨɩɪı",
    "j": "ɉʝ",
    "k": "кκĸⱪᴋ",
    "l": "ӏɫłƚ",
    "m": "мᴍɱ",
    "n": "пηπɲŋꞑ",
    "o": "θσφøɵᴏ",
    "oe": "œ",
    "p": "ρþƿƥ",
    "q": "ʠ",
    "r": "гɍɼɽɾʀ",
    "s": "ʂꜱ",
    "ss": "ß",
    "t": "тτƫŧ",
    "u": "ицμυʉᴜ",
    "v": "ѵνⱱⱴᴠᶌ",
    "w": "шωⱳᴡ",
    "x": "χξ",
    "y": "γɏƴỿʏ",
    "z": "ζƶⱬᴢʐ",
}
_HOST_CHARACTERS = re.compile("[a-z0-9-]+")
_ALSO = {char: look for look, chars in _LIKE.items() for char in chars}


@cache
def _classes() -> dict[str, list[str]]:
    """For each character the texts that UTS 39 puts beside it."""
    file = resources.files("confusable_homoglyphs") / "confusables.json"
    table = json.loads(file.read_text("utf-8"))
    return {char: [one["c"] for one in beside] for char, beside in table.items()}


@cache
def _ascii_look(char: str) -> str:
    """
    The ASCII text that one character looks like, itself where there is none.

    Marks and characters that are not shown become nothing.
    """
    if char.isascii():
        return char
    if char in _ALSO:
        return _ALSO[char]
    if unicodedata.category(char)[0] == "M" or unicodedata.category(char) == "Cf":
        return ""
    for text in (*_classes().get(char, ()), unicodedata.normalize("NFKD", char)):
        plain = "".join(
            _ALSO.get(part, part)
            for part in unicodedata.normalize("NFKD", text).lower()
            if unicodedata.category(part)[0] != "M"
        )
        # UTS 39 holds `m` to be `rn`; a dot inside a label would look like its end.
        plain = plain.replace("rn", "m").replace(".", "-")
        if _HOST_CHARACTERS.fullmatch(plain):
            return plain
    return char


def folded(label: str) -> tuple[str, tuple[int, ...]]:
    """
    What `label` looks like, and for each character of that its origin in `label`.

    Args:
        label: a U-label, or anything.
    """
    looks: list[str] = []
    origins: list[int] = []
    for position, char in enumerate(label):
        for small in char.lower():
            look = _ascii_look(small)
            looks.append(look)
            origins.extend([position] * len(look))
    return "".join(looks), tuple(origins)


def skeleton(label: str) -> str:
    """`label` in lower-case ASCII where it looks like that: `uber` for `\u00fcber`."""
    return folded(label)[0]

"""The settings of [WEIGHTS]."""

import re
from collections import Counter

from ctmonitor.rules.resemblance import Trick
from ctmonitor.rules.weights import DEFAULTS, WEIGHTS


def test_keys_are_unique_and_fit_for_a_file_of_settings() -> None:
    counts = Counter(weight.key for weight in WEIGHTS)

    assert [key for key, count in counts.items() if count > 1] == []
    assert [key for key in counts if not re.fullmatch("[A-Z][A-Za-z0-9]+", key)] == []


def test_each_has_a_line_of_help_of_its_own_and_a_default() -> None:
    assert len({weight.help for weight in WEIGHTS}) == len(WEIGHTS)
    for weight in WEIGHTS:
        assert weight.help
        assert "\n" not in weight.help
        assert -1000 < weight.default < 1000
        assert DEFAULTS[weight.key] == weight.default


def test_kinds_of_evidence_are_no_kinds_of_other_reasons() -> None:
    taken = {"keyword", "blacklist", "regex", "allow-list", *map(str, Trick)}

    assert taken.isdisjoint(weight.kind for weight in WEIGHTS)

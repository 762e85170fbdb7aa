"""The files of rules: read at start, and again when they change."""

import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ctmonitor.cli.rulefiles import MAX_BYTES, FileRules, RuleFiles
from ctmonitor.errors import ConfigError
from ctmonitor.rules.hostname import host_name

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

TEXTS = {
    "regex_file": "^login-\npaypal[0-9]\n",
    "allow_file": "example.com\n",
    "brand_file": '[{"brand": "PayPal", "domains": ["paypal.com"]}]',
    "popular_file": "1,google.com\n2,youtube.com\n3,facebook.com\n",
}

Opened = Callable[..., RuleFiles]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """All four files in a folder, three days old, and what reads them."""

    def _opened(**ranks: int) -> RuleFiles:
        for name, text in TEXTS.items():
            write(tmp_path / name, text)
        paths = {name: str(tmp_path / name) for name in TEXTS}
        return RuleFiles(**paths, **ranks, now=lambda: NOW)  # type: ignore[arg-type]

    return _opened


def write(path: Path, content: str | bytes, *, days_ago: float = 3) -> None:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(data)
    changed = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(path, (changed, changed))


def allows(rules: FileRules | None, name: str) -> bool:
    assert rules is not None
    return bool(rules.allowed.allows(host_name(name)))


def settled(files: RuleFiles) -> bool:
    """Whether a change is seen, once nobody writes any more."""
    files.has_changed()
    return files.has_changed()


def test_all_files_are_read_and_described(opened: Opened, tmp_path: Path) -> None:
    rules = opened(popular_ranks=2).read()
    assert len(rules.regexes) == 2
    assert allows(rules, "www.example.com")
    assert [brand.name for brand in rules.brands] == ["PayPal"]
    assert "google.com" in rules.popular
    assert "facebook.com" not in rules.popular
    assert rules.warnings == ()
    assert rules.described == (
        f"expressions: 2, from {tmp_path}/regex_file",
        f"allow-list: 1, from {tmp_path}/allow_file",
        f"brands: 1, from {tmp_path}/brand_file",
        f"popular domains: 2, from {tmp_path}/popular_file, 3 days old",
    )


def test_without_files_there_is_nothing() -> None:
    files = RuleFiles()
    rules = files.read()
    assert (len(rules.regexes), len(rules.allowed), rules.brands) == (0, 0, ())
    assert (len(rules.popular), rules.described) == (0, ())
    assert not settled(files)


def test_the_problems_of_all_files_are_told_at_once(
    opened: Opened, tmp_path: Path
) -> None:
    files = opened()
    write(tmp_path / "regex_file", "a(\n")
    write(tmp_path / "allow_file", "good.com\nco.uk\n")
    (tmp_path / "brand_file").unlink()
    with pytest.raises(ConfigError) as raised:
        files.read()
    first, second, third = raised.value.problems
    assert first.startswith(f"{tmp_path}/regex_file, line 1: missing ), unterminated")
    assert second.startswith(f"{tmp_path}/allow_file, line 2: 'co.uk' is a public")
    assert third.startswith(f"{tmp_path}/brand_file: there is no such file.")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a\nm\xfcller\n", ", line 2: is no UTF-8 (byte 0xfc)."),
        ("paypal".encode("utf-16"), ": begins like UTF-16. Save it as UTF-8."),
        (b"\x7fELF\x02\0", ", line 1: holds a control character (0x7f)"),
        (
            gzip.compress(b"paypal", mtime=0)[:-9],
            ": cannot be unpacked: Compressed file ended",
        ),
        (b"\x1f\x8b and no more", ": cannot be unpacked: "),
        (b"#" * (MAX_BYTES + 1), ": is larger than 64 MB, so it is no file of rules."),
        (gzip.compress(b"#" * (MAX_BYTES + 1), mtime=0), ": is larger than 64 MB"),
    ],
)
def test_what_is_no_text_is_told(
    opened: Opened, tmp_path: Path, content: bytes, told: str
) -> None:
    files = opened()
    write(tmp_path / "regex_file", content)
    with pytest.raises(ConfigError) as raised:
        files.read()
    (problem,) = raised.value.problems
    assert problem.startswith(f"{tmp_path}/regex_file{told}")


def test_what_is_no_regular_file_is_told(opened: Opened, tmp_path: Path) -> None:
    files = opened()
    (tmp_path / "allow_file").unlink()
    os.mkfifo(tmp_path / "allow_file")
    (tmp_path / "regex_file").unlink()
    (tmp_path / "regex_file").mkdir()
    with pytest.raises(ConfigError) as raised:
        files.read()
    assert raised.value.problems == (
        f"{tmp_path}/regex_file: is no regular file. Name one in [SEARCH].",
        f"{tmp_path}/allow_file: is no regular file. Name one in [SEARCH].",
    )


@pytest.mark.parametrize(
    ("path", "reason"),
    [("x" * 300, "File name too long"), ("a\0b", "embedded null")],
)
def test_what_cannot_be_opened_is_told_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=f": cannot be read: .*{reason}"):
        RuleFiles(allow_file=path).read()


def test_a_byte_order_mark_and_gzip_are_taken(opened: Opened, tmp_path: Path) -> None:
    files = opened()
    write(tmp_path / "regex_file", b"\xef\xbb\xbf^login-\r\n")
    write(tmp_path / "popular_file", gzip.compress(b"1,google.com\n"))
    rules = files.read()
    assert [each.pattern for each in rules.regexes.expressions] == ["^login-"]
    assert "google.com" in rules.popular


@pytest.mark.parametrize("content", [None, "<html>\nbusy\n</html>\n"])
def test_without_the_list_of_others_the_start_goes_on(
    opened: Opened, tmp_path: Path, content: str | None
) -> None:
    files = opened()
    (tmp_path / "popular_file").unlink()
    if content is not None:
        write(tmp_path / "popular_file", content)
    rules = files.read()
    assert len(rules.popular) == 0
    assert rules.warnings[-1] == (
        f"{tmp_path}/popular_file: popular domains are not known until it is right."
    )
    assert not settled(files)
    write(tmp_path / "popular_file", "google.com\n", days_ago=0.5)
    assert settled(files)
    found = files.reread().rules
    assert found is not None
    assert found.described[-1].endswith("popular_file, 12 hours old")
    assert "google.com" in found.popular


def test_a_change_is_seen_once_it_has_settled(opened: Opened, tmp_path: Path) -> None:
    files = opened()
    files.read()
    assert not settled(files)
    write(tmp_path / "allow_file", "half", days_ago=2)
    assert not files.has_changed()
    write(tmp_path / "allow_file", "half\nwhole.com\nexample.org\n", days_ago=1)
    assert not files.has_changed()
    assert files.has_changed()


@pytest.mark.parametrize("is_replaced", [True, False])
def test_what_changed_is_in_force_and_the_rest_stays(
    opened: Opened, tmp_path: Path, is_replaced: bool
) -> None:
    files = opened()
    before = files.read()
    # As editors do it, with the same size and the same time.
    path = tmp_path / ("new" if is_replaced else "allow_file")
    write(path, "example.org\n", days_ago=3 if is_replaced else 2)
    path.replace(tmp_path / "allow_file")
    assert settled(files)
    found = files.reread()
    assert found.problems == ()
    assert allows(found.rules, "example.org")
    assert not allows(found.rules, "example.com")
    assert found.rules is not None
    assert found.rules.regexes is before.regexes
    assert not settled(files)
    assert files.reread().rules is None


def test_a_wrong_change_is_told_once_and_the_old_rules_stay(
    opened: Opened, tmp_path: Path
) -> None:
    files = opened()
    files.read()
    write(tmp_path / "allow_file", "example.org\nco.uk\n", days_ago=0)
    write(tmp_path / "regex_file", "^new-\n", days_ago=0)
    assert settled(files)
    found = files.reread()
    refused, staying = found.problems
    assert refused.startswith(f"{tmp_path}/allow_file, line 2: 'co.uk' is a public")
    assert staying == (
        f"{tmp_path}/allow_file: what it said before stays in force, 3 days old."
    )
    assert allows(found.rules, "example.com")
    assert found.rules is not None
    assert [each.pattern for each in found.rules.regexes.expressions] == ["^new-"]
    assert not settled(files)
    write(tmp_path / "allow_file", "example.org\n", days_ago=1)
    assert settled(files)
    assert allows(files.reread().rules, "example.org")


def test_a_file_that_is_gone_is_told_once_and_the_old_rules_stay(
    opened: Opened, tmp_path: Path
) -> None:
    files = opened()
    files.read()
    (tmp_path / "popular_file").unlink()
    assert settled(files)
    found = files.reread()
    assert found.rules is None
    assert [problem.split(": ")[1] for problem in found.problems] == [
        "there is no such file. Create it, or correct its path in [SEARCH].",
        "what it said before stays in force, 3 days old.",
    ]
    assert not settled(files)


def test_of_a_path_that_begins_where_the_daemon_was_started_that_is_told() -> None:
    """Under systemd `conf/brands.json` is looked for below /var/lib/ctmonitor."""
    with pytest.raises(ConfigError, match="begins where this was started"):
        RuleFiles(brand_file="conf/not-there.json").read()


def test_what_is_odd_is_told(opened: Opened, tmp_path: Path) -> None:
    files = opened()
    for name in ("regex_file", "allow_file", "popular_file"):
        write(tmp_path / name, "# nothing\n")
    assert [warning.split(": ")[1] for warning in files.read().warnings] == [
        "holds no expression. Write one a line, or remove RegexFile.",
        "allows nothing. Write one domain a line, or remove AllowFile.",
        "holds no domain. Fetch the list anew.",
    ]

"""Reading settings: what is accepted, what is told, and what is never shown."""

import configparser
import os
import re
import string
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ctmonitor import config as config_module
from ctmonitor.config import MASK, Config, describe, load, masked_url
from ctmonitor.errors import ConfigError
from ctmonitor.model.text import printable
from ctmonitor.settings import SETTINGS

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests/vectors/conf"

NEEDED = "[SEARCH]\nSearchKeywords = paypal\n[SERVER]\nACTServer = ws://127.0.0.1/\n"


@pytest.fixture
def read(tmp_path: Path):
    """Reads settings from text or bytes, with the environment given."""

    def _read(content: str | bytes, **environ: str) -> Config:
        path = tmp_path / "a.conf"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load(path, environ)

    return _read


@pytest.fixture
def problems(read):
    """The problems of a file that cannot be used, without the path before each."""

    def _problems(content: str | bytes, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(content, **environ)
        assert caught.value.problems
        assert all("a.conf" in problem for problem in caught.value.problems)
        return [re.sub(r"^.*?a\.conf(?:, |: )", "", p) for p in caught.value.problems]

    return _problems


def with_line(section: str, line: str) -> str:
    """The smallest file that can be used, with one more line in a section."""
    if f"[{section}]\n" in NEEDED:
        key = line.split("=")[0].strip()
        kept = [li for li in NEEDED.splitlines() if not li.startswith(f"{key} =")]
        return "\n".join(kept).replace(f"[{section}]", f"[{section}]\n{line}") + "\n"
    return f"{NEEDED}[{section}]\n{line}\n"


# --- The table and the dataclass ------------------------------------------------------


def test_config_has_a_field_for_each_row_in_the_order_of_the_table() -> None:
    names = [f.name for f in fields(Config)]
    assert names == [
        "path",
        *(s.attribute for s in SETTINGS),
        "warnings",
        "from_environment",
        "from_secret",
    ]


def test_defaults_are_those_of_the_table(read) -> None:
    config = read(NEEDED)
    assert config.warnings == ()
    expected = {
        "search_keywords": "paypal",
        "blacklist_keywords": "",
        "detection_threshold": 1,
        "source": "certstream",
        "replay_file": "",
        "stall_seconds": 60.0,
        "stale_minutes": 15.0,
        "queue_messages": 5000,
        "max_message_mb": 16,
        "retry_first_seconds": 60.0,
        "max_retry_seconds": 60.0,
        "act_servers": ("ws://127.0.0.1/",),
        "proxy_host": "",
        "proxy_port": None,
        "proxy_username": "",
        "proxy_password": "",
        "proxy_type": "http",
        "ca_file": "",
        "db_file": "./db/CertStreamMonitor.sqlite3",
        "table_name": "CertMon",
        "database_url": "",
        "log_file": "",
        "log_level": 20,
        "log_type": "file",
        "alerts_dir": "./alerts/%Y/%m/%d",
        "alert_monitor_timelapse": 180,
        "notification_destination": "",
        "connect_proxy": "",
        "http_ua": "",
        "ua_file": "",
        "safe_browsing_api_key": "",
    }
    found = {s.attribute: getattr(config, s.attribute) for s in SETTINGS}
    assert found == expected
    assert {k: type(v) for k, v in found.items()} == {
        k: type(v) for k, v in expected.items()
    }


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.key)
def test_default_and_example_of_a_row_are_accepted_by_it(setting, read) -> None:
    for value in filter(None, (setting.default, setting.example)):
        line = f"{setting.key} = {value.replace('%', '%%')}"
        assert read(with_line(setting.section, line)).warnings == ()


def test_the_example_file_loads_without_a_warning() -> None:
    config = load(ROOT / "conf/example.conf", {})
    assert config.warnings == ()
    assert config.detection_threshold == 2
    assert config.act_servers == ("ws://127.0.0.1:8080/",)


def test_an_unchanged_file_of_the_old_program_loads() -> None:
    config = load(VECTORS / "old_program.conf", {})
    assert config.warnings == ()
    assert config.path == VECTORS / "old_program.conf"
    assert config.search_keywords == "bank|secur|log(?:in|on)|account"
    assert config.blacklist_keywords == r"mail\.example\.org$|intranet"
    assert config.detection_threshold == 2
    assert config.db_file == "/var/lib/ct/found.db"
    assert config.table_name == "certstreammonitor"
    assert config.connect_proxy == "socks5h://localhost:9050"
    assert config.http_ua.startswith("Mozilla/5.0 (X11; Linux")
    assert config.log_level == 20
    assert config.log_type == "syslog"
    assert config.alerts_dir == "./alerts/%Y/%m/%d"
    assert config.alert_monitor_timelapse == 90
    assert config.act_servers == ("wss://feed.example:4000/",)
    assert (config.proxy_host, config.proxy_port) == ("proxy.example", 3128)
    assert config.proxy_password == "100% s3cret"
    assert config.safe_browsing_api_key == "AIzaNotARealKey"


def test_every_problem_is_told_at_once_with_file_line_section_and_key() -> None:
    path = VECTORS / "everything_wrong.conf"
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    text = str(caught.value)
    for number, words in {
        2: "[SEARCH] SearchKeywords: unterminated character set at position 7 of",
        3: "[SEARCH] DetectionThreshold: 'two' is not accepted; accepted is a whole",
        4: "[SEARCH] BlacklistKeyword is no key of ours and is not used. Did you mean "
        "BlacklistKeywords?",
        5: "[SEARCH] TABLEname is not used here: TABLEname belongs in [DATABASE].",
        7: "section [SEARCH] stands twice, in lines 1 and 7",
        8: "[SEARCH] DetectionThreshold stands twice, in lines 3 and 8",
        10: "[DATABASES] is no section of ours, so nothing in it is used. Did you mean "
        "[DATABASE]?",
        14: "[DATABASE] TABLEname: 'ctm_hosts; DROP TABLE' is not accepted",
        17: "[SOURCES] Stall_Seconds: '0' is not accepted; accepted is a number of "
        "seconds, 1 to 3600",
        18: "[SOURCES] Queue_Messages: '1e6' is not accepted",
        21: "[SERVER] ACTServer: 'https://feed.example/' is not accepted",
        22: "[SERVER] Proxy_Host is given without Proxy_Port",
        23: "[SERVER] Proxy_Password: the environment has no variable NO_SUCH_VARIABLE",
        24: "[SERVER] Proxy_Type: 'sock5' is not accepted; accepted is http, socks5 or "
        "socks5h. Did you mean socks5",
        25: "is no [SECTION], no Key = value and no comment",
        28: "[LOGGING] LogLevel: 'VERBOSE' is not accepted",
        31: "[CONNECT] Proxy: 'ftp://proxy.example:21' is not accepted",
    }.items():
        assert f"{path}, line {number}: {words}" in text
    assert len(caught.value.problems) == 17
    lines = [int(re.search(r"line (\d+):", p)[1]) for p in caught.value.problems]
    assert lines == sorted(lines)


# --- The language of the file ---------------------------------------------------------

_INI_LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["[A]", "[B]", "[DEFAULT]", " [A]", "[C] x", "[]", "# c", " ; c", "", "  "]
        ),
        st.builds(
            "{}{}{}{}".format,
            st.sampled_from(["", "", " ", "  ", "\t", "    "]),
            st.text("abcAB [%", max_size=3),
            st.sampled_from([" = ", "=", ":", " : ", "", "=="]),
            st.text("ab=:;#% []\t", max_size=5),
        ),
    ),
    max_size=12,
)


@given(_INI_LINES)
@settings(max_examples=400)
@example(["[A]", "  a = 1", "    more", "", "    still", "  b: 2", "#x", "   c=3"])
def test_sections_are_those_that_configparser_reads(lines: list[str]) -> None:
    """What ConfigParser takes means the same here; what it refuses is refused here."""
    text = "\n".join(lines)
    told = config_module._Problems(Path("a.conf"))
    ours = config_module._sections(text, told)
    parser = configparser.RawConfigParser(default_section="no such section")
    try:
        parser.read_string(text)
    except configparser.Error:
        assert told.has_errors
        return
    assert not told.has_errors
    assert {
        name: {key: entry.raw for key, entry in section.entries.items()}
        for name, section in ours.items()
    } == {name: dict(parser[name]) for name in parser.sections()}


@given(st.text("%()s2bcC {}", max_size=12), st.text("%()sc ", max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("%(b)s%%(b)s", "x")
@example("a%%%%b", "x")
def test_values_are_those_that_configparser_gives(
    read,
    first: str,
    second: str,
) -> None:
    text = f"{NEEDED}[CONNECT]\nhttp_UA = x{first}\nb = {second}\nC = 3\n"
    parser = configparser.ConfigParser()
    parser.read_string(text)
    try:
        expected = parser["CONNECT"]["http_UA"]
    except configparser.InterpolationError:
        return
    assert read(text).http_ua == expected


def test_a_percent_sign_that_means_nothing_stands_for_itself(read) -> None:
    config = read(with_line("REPORTING", "Alerts_dir = ./a/%Y/%%m/100%"))
    assert config.alerts_dir == "./a/%Y/%m/100%"


def test_a_reference_takes_the_value_of_another_key(read) -> None:
    text = f"[DEFAULT]\nbase = /srv\n{NEEDED}[DATABASE]\nname = ct\n"
    config = read(text + "DBFile = %(base)s/%(NAME)s.db\n")
    assert config.db_file == "/srv/ct.db"
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("%(nothing)s", "%(nothing)s stands for the value of a key that [CONNECT]"),
        ("%(http_UA)s", "leads back to itself"),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error(
    value: str,
    words: str,
    problems,
) -> None:
    (problem,) = problems(with_line("CONNECT", f"http_UA = {value}"))
    assert words in problem


def test_references_that_grow_without_end_are_an_error(problems) -> None:
    lines = ["a0 = xxxxxxxxxxxxxxxx"]
    lines += [f"a{i} = " + f"%(a{i - 1})s" * 16 for i in range(1, 10)]
    text = f"{NEEDED}[CONNECT]\n" + "\n".join(lines) + "\nhttp_UA = %(a9)s\n"
    assert any("is longer than 1,048,576 characters" in p for p in problems(text))


def test_continued_lines_of_an_expression_are_joined(read) -> None:
    text = with_line("SEARCH", "SearchKeywords = paypal|\n   apple|\n\n  # no\n   bank")
    assert read(text).search_keywords == "paypal|apple|bank"


def test_continued_lines_of_a_text_are_joined_by_a_space(read) -> None:
    text = with_line("CONNECT", "http_UA = Mozilla/5.0\n   (X11)")
    assert read(text).http_ua == "Mozilla/5.0 (X11)"


def test_a_path_goes_over_one_line_only(problems) -> None:
    (problem,) = problems(with_line("DATABASE", "DBFile = a\n  b"))
    assert "Write the path on one line" in problem


def test_an_indented_key_is_told_to_be_part_of_the_value_above(read) -> None:
    config = read(
        with_line("SEARCH", "BlacklistKeywords = a\n  DetectionThreshold = 2")
    )
    assert config.detection_threshold == 1
    assert "does not set DetectionThreshold" in config.warnings[0]
    assert "line 3" in config.warnings[0]


def test_keys_may_be_in_any_case_and_sections_may_not(read, problems) -> None:
    assert read(NEEDED.replace("SearchKeywords", "SEARCHkeywords")).search_keywords
    told = problems(NEEDED.replace("[SEARCH]", "[Search]"))
    assert "Did you mean [SEARCH]?" in told[0]
    assert "[SEARCH] SearchKeywords is missing" in told[-1]


@pytest.mark.parametrize(
    "content",
    [
        NEEDED.encode("utf-8-sig"),
        NEEDED.encode("utf-16"),
        b"\xfe\xff" + NEEDED.encode("utf-16-be"),
        NEEDED.replace("\n", "\r\n").encode(),
        NEEDED.replace("\n", "\r").encode(),
        NEEDED.replace("\n", "\r\n").encode("utf-16"),
    ],
    ids=["BOM", "UTF-16", "UTF-16-BE", "CRLF", "CR", "UTF-16 and CRLF"],
)
def test_files_of_other_editors_are_read(content: bytes, read) -> None:
    config = read(content)
    assert config.search_keywords == "paypal"
    assert config.warnings == ()


def test_latin_1_is_read_with_a_warning_that_names_the_line(read) -> None:
    config = read(with_line("CONNECT", "http_UA = Caf\u00e9").encode("latin-1"))
    assert config.http_ua == "Caf\u00e9"
    (warning,) = config.warnings
    assert "line 6: not UTF-8" in warning


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"SQLite format 3\x00\x10\x00", "line 1: holds a control character (0x00)"),
        (NEEDED.encode() + b"\nx\x00", "line 6: holds a control character (0x00)"),
        (NEEDED.encode("utf-16")[:-1], "begins like UTF-16 and is cut or damaged"),
        (b"a = 1\nb = 2\n[SEARCH]\n", "line 1: stands before any section"),
        (b"", "[SEARCH] SearchKeywords is missing"),
        (b"x" * 5_000_000, "is larger than 4 MB"),
    ],
)
def test_what_is_no_settings_file_is_told(
    content: bytes,
    words: str,
    problems,
) -> None:
    assert any(words in problem for problem in problems(content))


def test_a_thousand_lines_of_something_else_are_not_told_one_by_one(problems) -> None:
    told = problems("[SEARCH]\n" + "lorem ipsum\n" * 1000)
    assert len(told) < 20
    assert any("990 further lines are no settings" in problem for problem in told)


def test_a_missing_file_and_a_directory_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no such file.*example\.conf"):
        load(tmp_path / "none.conf", {})
    with pytest.raises(ConfigError, match="is a directory"):
        load(tmp_path, {})
    with pytest.raises(ConfigError, match="cannot be read: embedded null"):
        load("a\0b", {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text(NEEDED)
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(path, {})


@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
        st.builds(
            lambda head, rest: head + rest,
            st.sampled_from(
                [NEEDED.encode(), b"[SEARCH]\nSearchKeywords=", b"\xff\xfe"]
            ),
            st.binary(max_size=100),
        ),
        st.lists(
            st.builds(
                lambda setting, value: (
                    f"[{setting.section}]\n{setting.key} = {value}\n"
                ),
                st.sampled_from(SETTINGS),
                st.text(string.printable + "\u00e9\u2028\U0001f600", max_size=30),
            ),
            max_size=5,
        ).map(lambda parts: "".join(parts).encode()),
    )
)
@example(with_line("CONNECT", "http_UA = a\u00a0\u202eb").encode())
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_settings_or_a_config_error(read, content: bytes) -> None:
    try:
        config = read(content, PATH="/usr/bin")
    except ConfigError:
        return
    assert all(printable(line) == line for line in describe(config))


@given(st.text("()[]{}|?*+.^$\\<>=!:#&~-0129abxLPmistk ,'\"", max_size=25))
@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_expression_is_accepted_or_refused(read, pattern: str) -> None:
    try:
        config = read(with_line("SEARCH", f"SearchKeywords = x{pattern}"))
    except ConfigError:
        return
    assert re.compile(config.search_keywords)


# --- Values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "line", "attribute", "expected"),
    [
        ("SEARCH", "DetectionThreshold = 1", "detection_threshold", 1),
        ("LOGGING", "LogLevel = 0", "log_level", 0),
        ("LOGGING", "LogLevel = 50", "log_level", 50),
        ("LOGGING", "LogLevel = debug", "log_level", 10),
        ("LOGGING", "LogLevel = Warn", "log_level", 30),
        ("LOGGING", "LogType = SYSLOG", "log_type", "syslog"),
        ("SOURCES", "Source = CertStream", "source", "certstream"),
        ("SOURCES", "Stall_Seconds = 1", "stall_seconds", 1.0),
        ("SOURCES", "Stall_Seconds = 2.5", "stall_seconds", 2.5),
        ("SOURCES", "Stall_Seconds = 3600", "stall_seconds", 3600.0),
        ("SOURCES", "Stale_Minutes = 0", "stale_minutes", 0.0),
        ("SOURCES", "Queue_Messages = 1000000", "queue_messages", 1_000_000),
        ("SOURCES", "Max_Message_MB = 1024", "max_message_mb", 1024),
        ("SOURCES", "Queue_Messages =", "queue_messages", 5000),
        ("SERVER", "Proxy_Port =", "proxy_port", None),
        ("DATABASE", "DBFile =", "db_file", "./db/CertStreamMonitor.sqlite3"),
        ("DATABASE", "TABLEname = _" + "x" * 62, "table_name", "_" + "x" * 62),
        (
            "DATABASE",
            "URL = postgresql://u:p@h:5432/d?sslmode=require",
            "database_url",
            "postgresql://u:p@h:5432/d?sslmode=require",
        ),
        (
            "DATABASE",
            "URL = sqlite:////srv/a b.db",
            "database_url",
            "sqlite:////srv/a b.db",
        ),
        ("CONNECT", "Proxy = localhost:3128", "connect_proxy", "http://localhost:3128"),
        (
            "CONNECT",
            "Proxy = socks5://u:p%40q@[::1]:1080",
            "connect_proxy",
            "socks5://u:p%40q@[::1]:1080",
        ),
        (
            "SERVER",
            "ACTServer = ws://a/, wss://b:4000/full-stream\n   ws://[::1]:8080",
            "act_servers",
            ("ws://a/", "wss://b:4000/full-stream", "ws://[::1]:8080"),
        ),
    ],
)
def test_a_value_is_taken(
    section: str, line: str, attribute: str, expected: object, read
) -> None:
    config = read(with_line(section, line))
    assert getattr(config, attribute) == expected
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("section", "line", "words"),
    [
        ("SEARCH", "DetectionThreshold = 0", "'0' is not accepted"),
        ("SEARCH", "DetectionThreshold = -1", "a whole number, 1 or more"),
        ("SEARCH", "DetectionThreshold = 2.0", "'2.0' is not accepted"),
        ("SEARCH", "DetectionThreshold = \u0662", "a whole number, 1 or more"),
        ("SEARCH", "DetectionThreshold = " + "9" * 5000, "is not accepted"),
        ("SEARCH", "DetectionThreshold = 2 ; two", "A comment needs a line of its own"),
        ("SEARCH", 'DetectionThreshold = "2"', "Remove the quotes"),
        ("SEARCH", "SearchKeywords =", "is empty and must be given"),
        ("SEARCH", "SearchKeywords = ()", "matches nothing but the empty text"),
        ("SEARCH", "SearchKeywords = ^$|", "matches nothing but the empty text"),
        ("SEARCH", "SearchKeywords = a{9999999999999}", "too large"),
        ("SEARCH", "SearchKeywords = " + "(" * 5000 + "a" + ")" * 5000, "too deep"),
        ("SEARCH", "SearchKeywords = a)b", "unbalanced parenthesis at position 1"),
        ("SEARCH", "BlacklistKeywords = *", "nothing to repeat at position 0"),
        ("SOURCES", "Stall_Seconds = 0.99", "1 to 3600"),
        ("SOURCES", "Stall_Seconds = 3600.5", "1 to 3600"),
        ("SOURCES", "Stall_Seconds = nan", "is not accepted"),
        ("SOURCES", "Stall_Seconds = 60s", "a number of seconds"),
        ("SOURCES", "Source = logs", "accepted is certstream or replay"),
        ("SOURCES", "Source = replay", "[SOURCES] Replay_File is missing"),
        ("SERVER", "Proxy_Port = 0", "1 to 65535"),
        ("SERVER", "Proxy_Port = 65536", "1 to 65535"),
        ("SERVER", "Proxy_Host = http://p\nProxy_Port = 1", "Write the host alone"),
        (
            "SERVER",
            "Proxy_Host = p:3128\nProxy_Port = 1",
            "The port belongs in Proxy_Port",
        ),
        ("SERVER", "ACTServer =", "is empty and must be given unless Source is replay"),
        ("SERVER", "ACTServer = ,", "',' is not accepted"),
        ("SERVER", "ACTServer = 127.0.0.1:8080", "Begin it with its scheme"),
        ("SERVER", "ACTServer = http://a/", "write ws:// for http://"),
        ("SERVER", "ACTServer = ws://a/, https://b/", "'https://b/'"),
        ("SERVER", "ACTServer = ws://", "Begin it with its scheme"),
        ("SERVER", "ACTServer = ws:///x", "Add the host"),
        ("SERVER", "ACTServer = ws://a:0/", "a number from 1 to 65535"),
        ("SERVER", "ACTServer = ws://a:65536/", "a number from 1 to 65535"),
        ("SERVER", "ACTServer = ws://[::1/", "Correct the host"),
        ("DATABASE", "TABLEname = " + "x" * 64, "1 to 63 letters"),
        ("DATABASE", "TABLEname = 1x", "1 to 63 letters"),
        ("DATABASE", "TABLEname = CTM_x", "nor with ctm_"),
        ("DATABASE", "TABLEname = sqlite_x", "nor with ctm_ or sqlite_"),
        ("DATABASE", "TABLEname = t\u00e9", "1 to 63 letters"),
        ("DATABASE", "URL = mysql://h/d", "Begin it with postgresql://"),
        ("DATABASE", "URL = postgres://h/d", "Write postgresql://"),
        ("DATABASE", "URL = postgresql://h", "Name the database"),
        ("DATABASE", "URL = sqlite://x.db", "Write sqlite:///"),
        ("CONNECT", "Proxy = socks4://p:1080", "socks5://host:port"),
        ("CONNECT", "Proxy = http://p", "Give host and port"),
        ("CONNECT", "Proxy = http://p:80/x", "Remove what follows the port"),
        ("LOGGING", "LogLevel = 51", "a number from 0 to 50, or DEBUG"),
        ("LOGGING", "LogLevel = INFOS", "Did you mean INFO?"),
        ("REPORTING", "Alert_Monitor_timelapse = 0", "a whole number of days, 1 to"),
        ("REPORTING", "Notification_Destination = me@example", "scheme of a service"),
    ],
)
def test_a_value_is_refused(section: str, line: str, words: str, problems) -> None:
    (problem,) = problems(with_line(section, line))
    assert words in problem


def test_the_place_in_an_expression_is_shown(problems) -> None:
    (problem,) = problems(with_line("SEARCH", r"SearchKeywords = \bpay\.(pal[x"))
    said, pattern, caret = problem.split("\n")
    assert r"unterminated character set at position 11 of '\bpay\.(pal[x'" in said
    assert pattern[caret.index("^")] == "["
    assert pattern[caret.index("^") - 3 :] == "pal[x"


def test_the_place_in_a_long_expression_is_shown_too(problems) -> None:
    many = "|".join(f"word{i}" for i in range(3000))
    (problem,) = problems(with_line("SEARCH", f"SearchKeywords = {many}|(x|{many}"))
    _, pattern, caret = problem.split("\n")
    assert len(problem) < 500
    assert pattern[caret.index("^") :].startswith("(x|word0")


def test_a_replay_needs_no_feed(read) -> None:
    config = read(
        "[SEARCH]\nSearchKeywords=a\n[SOURCES]\nSource = Replay\nReplay_File = x.gz"
    )
    assert (config.source, config.replay_file) == ("replay", "x.gz")
    assert config.act_servers == ()


def test_what_an_unknown_source_would_need_is_not_guessed(problems) -> None:
    (problem,) = problems("[SEARCH]\nSearchKeywords=a\n[SOURCES]\nSource = logs\n")
    assert "[SOURCES] Source: 'logs' is not accepted" in problem


def test_without_a_feed_the_next_step_is_told(problems) -> None:
    (problem,) = problems("[SEARCH]\nSearchKeywords = a\n")
    assert problem == (
        "[SERVER] ACTServer is missing and must be given unless Source is replay; "
        "accepted is ws:// or wss:// addresses, one or several, with white space or "
        "commas between. For example: ACTServer = ws://127.0.0.1:8080/"
    )


# --- Warnings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "line", "words"),
    [
        ("SEARCH", "SearchKeyword = x", "Did you mean SearchKeywords?"),
        ("SEARCH", "TableName = x", "TABLEname belongs in [DATABASE]"),
        ("SEARCH", "TabelName = x", "Did you mean TABLEname in [DATABASE]?"),
        ("SEARCH", "Zzz = x", "docs/settings.md lists all keys"),
        ("SEARHC", "SearchKeywords = x", "Did you mean [SEARCH]?"),
        ("MINE", "DBFile = x", "is no section of ours"),
        ("MINE", "DBFile = x", "DBFile belongs in [DATABASE]"),
        ("DATABASE", 'DBFile = "a b.db"', "the quotes are part of the value"),
        ("DATABASE", "DBFile = a.db # here", "A comment needs a line of its own"),
        ("SEARCH", "BlacklistKeywords = a|", "blocks every name"),
        ("SEARCH", "SearchKeywords = a|", "is not counted"),
        ("SERVER", "Proxy_Port = 8080", "Proxy_Port is given without Proxy_Host"),
        ("SERVER", "Proxy_Username = u", "Proxy_Username is given without Proxy_Host"),
        ("SERVER", "Proxy_Password = u", "Proxy_Password is given without Proxy_Host"),
        ("DATABASE", "DBFile = a\nURL = sqlite:///b", "URL is used"),
        ("SOURCES", "Replay_File = x", "Replay_File is not used"),
    ],
)
def test_what_is_odd_is_a_warning(section: str, line: str, words: str, read) -> None:
    warnings = read(with_line(section, line)).warnings
    assert any(words in warning for warning in warnings)
    assert all("a.conf, line " in warning for warning in warnings)


def test_a_misspelt_key_is_told_beside_the_missing_one(problems) -> None:
    told = problems(NEEDED.replace("SearchKeywords", "SearchKeyword"))
    assert "Did you mean SearchKeywords?" in told[0]
    assert "SearchKeywords is missing" in told[1]


# --- Environment and secrets ----------------------------------------------------------


def test_variables_are_replaced_after_references(read) -> None:
    text = with_line("SERVER", "Proxy_Password = a${PW}%%$${PW}")
    assert read(text, PW="%(x)s${PW}").proxy_password == "a%(x)s${PW}%${PW}"


def test_missing_variables_are_all_told(problems) -> None:
    told = problems(with_line("SERVER", "Proxy_Username = ${A_1}${B}${A_1}"))
    assert [re.search(r"variable (\w+)\.", problem)[1] for problem in told] == [
        "A_1",
        "B",
    ]


def test_a_variable_without_value_leaves_a_key_empty(problems) -> None:
    (problem,) = problems(with_line("SEARCH", "SearchKeywords = ${K}"), K="")
    assert "is empty and must be given" in problem


def test_a_line_break_in_a_variable_begins_no_header(read) -> None:
    config = read(with_line("CONNECT", "http_UA = ${UA}"), UA="a\nX-Evil: 1\n")
    assert config.http_ua == "a X-Evil: 1"


SECRET = "Zq9xSECRETx7w"

SECRET_PLACES = [
    ("SERVER", f"Proxy_Password = {SECRET}"),
    ("SERVER", f"ACTServer = wss://user:{SECRET}@feed.example/full?token={SECRET}"),
    ("SERVER", f"ACTServer = ws://a/ wss://{SECRET}@b/"),
    ("SERVER", f"Proxy_Password = {SECRET}\nProxy_Username = %(Proxy_Password)s"),
    ("SERVER", "ACTServer = wss://feed.example/${SECRET}/"),
    ("SAFEBROWSING", f"Safe_Browsing_API_Key = {SECRET}"),
    ("REPORTING", f"Notification_Destination = mailto://me:{SECRET}@mail.example"),
    ("REPORTING", f"Notification_Destination = json://a/{SECRET}, slack://{SECRET}/b"),
    ("DATABASE", f"URL = postgresql://u:{SECRET}@db.example/ct?password={SECRET}"),
    ("CONNECT", f"Proxy = socks5://u:{SECRET}@p.example:1080"),
]


@pytest.mark.parametrize(("section", "lines"), SECRET_PLACES)
def test_no_secret_is_described(section: str, lines: str, read) -> None:
    config = read(with_line(section, lines), SECRET=SECRET)
    values = [str(getattr(config, s.attribute)) for s in SETTINGS]
    assert any(SECRET in value for value in values)
    shown = "\n".join(describe(config))
    assert SECRET not in shown
    assert MASK in shown
    assert SECRET not in "".join(config.warnings)


@pytest.mark.parametrize(("section", "lines"), SECRET_PLACES[:3] + SECRET_PLACES[4:])
def test_no_secret_is_in_repr(section: str, lines: str, read) -> None:
    assert SECRET not in repr(read(with_line(section, lines), SECRET=SECRET))


@pytest.mark.parametrize(
    ("section", "lines"),
    [
        ("SERVER", f"Proxy_Password = a\n   ${{NONE}}{SECRET}"),
        ("SERVER", f"Proxy_Password {SECRET}"),
        ("SERVER", f"Proxy_Password =\n{SECRET}"),
        ("SERVER", f"Proxy_Password = {SECRET}\nProxy_Password = {SECRET}x"),
        ("SERVER", f"Proxy_Password = {SECRET}\nProxy_Port = %(Proxy_Password)s"),
        ("SERVER", "Proxy_Port = ${SECRET}"),
        ("SERVER", f"Proxy_Host = user:{SECRET}@proxy.example"),
        ("SERVER", f"Proxy_Host = user:{SECRET}"),
        ("SERVER", f"ACTServer = https://u:{SECRET}@h/"),
        ("SERVER", f"ACTServer = wss://u:{SECRET},{SECRET}@h/"),
        ("SERVER", f"ACTServer = wss://u:{SECRET}/{SECRET}@h/"),
        ("SERVER", f"ACTServer = wss://u:x@{SECRET}@h/"),
        ("SERVER", f"ACTServer = u:{SECRET}@h"),
        ("SERVER", f"ACTServer = http://{SECRET},x@h/"),
        ("SERVER", f"ACTServer = http://h/?token={SECRET}"),
        ("SERVER", "ACTServer = http://${SECRET}/"),
        ("DATABASE", f"URL = mysql://u:{SECRET}@h/d"),
        ("DATABASE", f"URL = postgresql://u:{SECRET}#{SECRET}@h/d"),
        ("DATABASE", f"URL = postgresql://u:{SECRET}"),
        ("CONNECT", f"Proxy = ftp://u:{SECRET}@h:1"),
        ("CONNECT", f"Proxy = u:{SECRET}"),
        ("REPORTING", f"Notification_Destination = {SECRET}"),
        ("SEARCH", "SearchKeywords = (${SECRET}"),
        ("DATABASE", "TABLEname = a-${SECRET}"),
    ],
)
def test_no_secret_is_in_an_error(section: str, lines: str, problems) -> None:
    assert SECRET not in "\n".join(problems(with_line(section, lines), SECRET=SECRET))


def test_describe_shows_everything_in_force_in_the_form_of_the_file(read) -> None:
    config = load(VECTORS / "old_program.conf", {})
    lines = describe(config)
    assert lines[:4] == [
        "[SEARCH]",
        "SearchKeywords = bank|secur|log(?:in|on)|account",
        r"BlacklistKeywords = mail\.example\.org$|intranet",
        "DetectionThreshold = 2",
    ]
    for line in (
        "Stall_Seconds = 60",
        "LogLevel = INFO",
        "Replay_File =",
        "ACTServer = wss://feed.example:4000/",
        "Proxy_Username = someone",
        f"Proxy_Password = {MASK}",
        f"Notification_Destination = slack://{MASK}",
        "Alerts_dir = ./alerts/%Y/%m/%d",
        "URL =",
    ):
        assert line in lines
    keys = [line.split(" =")[0] for line in lines if not line.startswith("[")]
    assert sorted(keys) == sorted(s.key for s in SETTINGS)
    assert "LogLevel = 15" in describe(replace(config, log_level=15))
    assert "Stall_Seconds = 2.5" in describe(replace(config, stall_seconds=2.5))


def test_an_unset_secret_is_shown_as_unset(read) -> None:
    assert "Proxy_Password =" in describe(read(NEEDED))


def test_a_value_from_the_environment_is_shown_where_it_is_no_address(read) -> None:
    config = read(with_line("DATABASE", "DBFile = ${HOME}/ct.db"), HOME="/home/ct")
    assert "DBFile = /home/ct/ct.db" in describe(config)
    assert config.from_environment == {"db_file"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://127.0.0.1:8080/", "ws://127.0.0.1:8080/"),
        ("wss://u:p@h:1/full-stream", "wss://********@h:1/full-stream"),
        ("wss://u:p/q@h/x", "wss://********@h/x"),
        ("wss://h/x?token=1#2", "wss://h/x?********"),
        ("http://u:p", "http://u:********"),
        ("ws://[::1]:80/", "ws://[::1]:80/"),
        ("u:p@h", "********@h"),
        ("sqlite:////srv/a.db", "sqlite:////srv/a.db"),
    ],
)
def test_an_address_is_masked(url: str, shown: str) -> None:
    assert masked_url(url) == shown

"""Text that becomes values: what is taken, what is refused and how it is told."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctmonitor.errors import ConfigError
from tests.settings_files import with_line


def test_continued_lines_of_an_expression_are_joined(read) -> None:
    text = with_line("SEARCH", "SearchKeywords = paypal|\n   apple|\n\n  # no\n   bank")
    assert read(text).search_keywords == "paypal|apple|bank"


def test_continued_lines_of_a_text_are_joined_by_a_space(read) -> None:
    text = with_line("CONNECT", "http_UA = Mozilla/5.0\n   (X11)")
    assert read(text).http_ua == "Mozilla/5.0 (X11)"


def test_a_path_goes_over_one_line_only(problems) -> None:
    (problem,) = problems(with_line("DATABASE", "DBFile = a\n  b"))
    assert "Write the path on one line" in problem


@given(st.text("()[]{}|?*+.^$\\<>=!:#&~-0129abxLPmistk ,'\"", max_size=25))
@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_expression_is_accepted_or_refused(read, pattern: str) -> None:
    try:
        config = read(with_line("SEARCH", f"SearchKeywords = x{pattern}"))
    except ConfigError:
        return
    assert re.compile(config.search_keywords)


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


def test_a_line_break_in_a_variable_begins_no_header(read) -> None:
    config = read(with_line("CONNECT", "http_UA = ${UA}"), UA="a\nX-Evil: 1\n")
    assert config.http_ua == "a X-Evil: 1"


@pytest.mark.parametrize(
    "pattern", ["[[:alpha:]]x", "a{e<=1}", "${d$|x", "pay[[pal]", "x{,"]
)
def test_what_compiles_under_re_is_accepted(pattern: str, read) -> None:
    """An old file must load, and `re` read it; `regex` takes these as its own."""
    config = read(with_line("SEARCH", f"SearchKeywords = {pattern}"))
    assert config.search_keywords == pattern
    assert config.warnings == ()


def test_an_expression_that_may_match_nothing_else_is_shown_without_a_place(
    problems,
) -> None:
    (problem,) = problems(with_line("SEARCH", "SearchKeywords = (?=a)"))
    assert "'(?=a)': matches nothing but the empty text" in problem

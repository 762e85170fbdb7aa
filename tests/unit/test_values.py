"""Text that becomes values: what is taken, what is refused and how it is told."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctmonitor.addresses import Destination
from ctmonitor.errors import ConfigError
from ctmonitor.sources.start import Start
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
        ("SOURCES", "Source = CertStream", "source", frozenset({"certstream"})),
        (
            "SOURCES",
            "Source = logs,\n  certstream\nContact = a@b.c",
            "source",
            frozenset({"certstream", "logs"}),
        ),
        ("SOURCES", "Failover_Minutes = 0.05", "failover_minutes", 0.05),
        (
            "SOURCES",
            "Logs = Google 'Argon  2026h1' log, state:usable\n  operator:X",
            "logs",
            ("Google 'Argon 2026h1' log", "state:usable", "operator:X"),
        ),
        ("SOURCES", "Start = Beginning", "start", Start(None)),
        ("SOURCES", "Start = 1000", "start", Start(1000)),
        (
            "SOURCES",
            "Start = 2026-11-01",
            "start",
            Start(None, datetime(2026, 11, 1, tzinfo=UTC)),
        ),
        ("SOURCES", "Verify = off", "verify", False),
        ("SOURCES", "Log_List = a b.json", "log_list", "a b.json"),
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
        ("SCAN", "Favicon = TRUE", "scan_favicon", True),
        ("SCAN", "Favicon = no", "scan_favicon", False),
        ("SCAN", "Favicon = on", "scan_favicon", True),
        ("SCAN", "Favicon = 0", "scan_favicon", False),
        ("SCAN", "Https_Ports = 443 8443, 443", "scan_https_ports", (443, 8443)),
        ("SCAN", "Http_Ports = 1,65535", "scan_http_ports", (1, 65_535)),
        (
            "SCAN",
            "Allow_Private = 10.0.0.0/8 fd00::/8,127.0.0.1\n  192.168.0.0/255.255.0.0",
            "scan_allow_private",
            ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32", "192.168.0.0/16"),
        ),
        (
            "SCAN",
            "Resolver = 127.0.0.1:5353, 192.0.2.53 ::1 [2001:db8::53] [::1]:54",
            "scan_resolvers",
            (
                ("127.0.0.1", 5353),
                ("192.0.2.53", 53),
                ("::1", 53),
                ("2001:db8::53", 53),
                ("::1", 54),
            ),
        ),
        ("SCAN", "Concurrency = 10000", "scan_concurrency", 10_000),
        ("SCAN", "Host_Timeout = 0.1", "scan_host_timeout", 0.1),
        ("SCAN", "Run_Timeout = 0", "scan_run_timeout", 0.0),
        ("SCAN", "Revisit_Hours = 0", "scan_revisit_hours", 0.0),
        ("SCAN", "Body_Bytes = 1024", "scan_body_bytes", 1024),
        ("SCAN", "CA_File = sites.pem", "scan_ca_file", "sites.pem"),
        ("REPORTING", "Notify_On = Both", "notify_on", "both"),
        (
            "REPORTING",
            "Alert_On = Down, changed down",
            "alert_on",
            frozenset({"down", "changed"}),
        ),
        (
            "REPORTING",
            "Notification_Destination = mailto://a?to=b@c,d@e, json://h/x\n  ntfy://t,",
            "notification_destination",
            tuple(
                map(Destination, ("mailto://a?to=b@c,d@e", "json://h/x", "ntfy://t"))
            ),
        ),
        (
            "REPORTING",
            # What the last one holds is no tag: it has no white space before it.
            "Notification_Destination = a,B=x://1, c_1=y://2\n  json://h?q,d=https://i",
            "notification_destination",
            (
                Destination("x://1", ("a", "b")),
                Destination("y://2", ("c_1",)),
                Destination("json://h?q,d=https://i"),
            ),
        ),
        (
            "REPORTING",
            "Hook = '/srv/a b/run' --queue \"c d\" e\\ f",
            "hook",
            ("/srv/a b/run", "--queue", "c d", "e f"),
        ),
        (
            "REPORTING",
            "Heartbeat_URL = https://ping.example/a?b=c",
            "heartbeat_url",
            "https://ping.example/a?b=c",
        ),
        ("REPORTING", "Digest_Per_Minute = 1", "digest_per_minute", 1),
        ("REPORTING", "Tries = 100", "alert_tries", 100),
        (
            "SAFEBROWSING",
            "API_URL = http://127.0.0.1:8081",
            "safe_browsing_api_url",
            "http://127.0.0.1:8081",
        ),
        ("SAFEBROWSING", "Daily_Budget = 0", "safe_browsing_daily_budget", 0),
        ("ENRICH", "RDAP_Bootstrap = a b.json", "enrich_rdap_bootstrap", "a b.json"),
        (
            "ENRICH",
            "RDAP_Bootstrap = http://[::1]:1/dns.json",
            "enrich_rdap_bootstrap",
            "http://[::1]:1/dns.json",
        ),
        ("SOURCES", "Contact = soc@example.org", "contact", "soc@example.org"),
        (
            "SOURCES",
            "Contact = https://a.example/ct",
            "contact",
            "https://a.example/ct",
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
        ("SOURCES", "Source = log", "Did you mean logs?"),
        ("SOURCES", "Source = replay", "[SOURCES] Replay_File is missing"),
        ("SERVER", "Proxy_Port = 0", "1 to 65535"),
        ("SERVER", "Proxy_Port = 65536", "1 to 65535"),
        ("SERVER", "Proxy_Host = http://p\nProxy_Port = 1", "Write the host alone"),
        (
            "SERVER",
            "Proxy_Host = p:3128\nProxy_Port = 1",
            "The port belongs in Proxy_Port",
        ),
        ("SERVER", "ACTServer =", "is empty and must be given unless Source is logs"),
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
        ("SCAN", "Favicon = maybe", "accepted is yes or no (or true"),
        ("SCAN", "Favicon = flase", "Did you mean false?"),
        ("SCAN", "Https_Ports = 0", "'0' is not accepted; accepted is ports from 1"),
        ("SCAN", "Https_Ports = 443 65536", "ports from 1 to 65535"),
        ("SCAN", "Https_Ports = 443/tcp", "'443/tcp' is not accepted"),
        ("SCAN", "Https_Ports = 8000-8999", "'8000-8999' is not accepted"),
        ("SCAN", "Http_Ports = ,", "',' is not accepted"),
        ("SCAN", "Allow_Private = 10.1.2.3/8", "write 10.0.0.0/8."),
        ("SCAN", "Allow_Private = ::1 fd00::1/8", "write fd00::/8."),
        ("SCAN", "Allow_Private = 10.0.0.0/33", "'10.0.0.0/33' is not accepted"),
        (
            "SCAN",
            "Allow_Private = localhost",
            "Give an address and the length of its prefix",
        ),
        ("SCAN", "Allow_Private = fe80::%%eth0/64", "'fe80::%eth0/64' is not"),
        ("SCAN", "Allow_Private = ,", "accepted is networks such as 10.0.0.0/8"),
        (
            "SCAN",
            "Resolver = dns.example",
            "'dns.example' is not accepted",
        ),
        ("SCAN", "Resolver = 127.0.0.1:0", "The port is a number from 1 to 65535"),
        ("SCAN", "Resolver = [::1]:65536", "The port is a number from 1 to 65535"),
        ("SCAN", "Resolver = [::1", "'[::1' is not accepted"),
        ("SCAN", "Resolver = 127.0.0.1:", "'127.0.0.1:' is not accepted"),
        ("SCAN", "Resolver = ,", "accepted is addresses of name servers"),
        ("SCAN", "Concurrency = 0", "a whole number of hosts, 1 to 10000"),
        ("SCAN", "Concurrency = 10001", "1 to 10000"),
        ("SCAN", "Host_Timeout = 0", "a number of seconds, 0.1 to 600"),
        ("SCAN", "Body_Bytes = 1023", "1024 to 16777216"),
        ("SCAN", "Body_Bytes = 16777217", "1024 to 16777216"),
        ("REPORTING", "Notify_On = down", "accepted is up, found or both"),
        ("REPORTING", "Alert_On = down bakc", "Did you mean back?"),
        (
            "REPORTING",
            "Alert_On = up",
            "accepted is one or several of down, back, chan",
        ),
        ("REPORTING", "Alert_On = ,", "',' is not accepted"),
        ("REPORTING", "Hook = run 'a", "Close the quotes"),
        ("REPORTING", "Hook = run ''", "Remove the empty word"),
        ("REPORTING", "Hook = ''", "Remove the empty word"),
        ("REPORTING", "Notification_Destination = ,", "is not accepted"),
        ("REPORTING", "Notification_Destination = a=", "scheme of a service"),
        ("REPORTING", "Notification_Destination = =json://h", "scheme of a service"),
        ("REPORTING", "Notification_Destination = a, b=j://h", "scheme of a service"),
        ("REPORTING", "Fallback_Destination = a=json://h", "without tags"),
        ("REPORTING", "Notify_Tags = soc", "kind=tag"),
        ("REPORTING", "Notify_Tags = up = soc", "kind=tag"),
        ("REPORTING", "Notify_Tags = up=", "kind=tag"),
        ("REPORTING", "Notify_Tags = upp=soc", "Did you mean up?"),
        ("REPORTING", "Notify_Tags = up=a up=b", "Give up once"),
        ("REPORTING", "Notification_Destination = a, json://h", "scheme of a service"),
        ("REPORTING", "Fallback_Destination = a://b, c://d", "Give one address"),
        ("REPORTING", "Heartbeat_URL = h/x", "Begin it with its scheme"),
        ("REPORTING", "Heartbeat_URL = ftp://h/x", "Begin it with https:// or http://"),
        ("REPORTING", "Heartbeat_URL = https:///x", "Add the host"),
        ("REPORTING", "Heartbeat_URL = https://h/#x", "Remove the #"),
        ("REPORTING", "Heartbeat_URL = https://h/ x", "Remove white space"),
        ("REPORTING", "Tries = 101", "1 to 100"),
        ("REPORTING", "Digest_Per_Minute = 0", "1 to 1000"),
        ("ENRICH", "RDAP_Bootstrap = ftp://h/x", "Begin it with https:// or http://"),
        ("ENRICH", "RDAP_Bootstrap = a\n  b", "Write the path on one line"),
        ("SOURCES", "Logs = ,", "',' is not accepted"),
        ("SOURCES", "Start = yesterday", "neither tip, beginning"),
        ("SOURCES", "Log_List = ftp://h/x", "Begin it with https:// or http://"),
        ("SOURCES", "Poll_Seconds = 0", "1 to 3600"),
        ("SOURCES", "Contact = me", "an e-mail address, or a web address"),
        ("SOURCES", "Contact = a@b (c)", "an e-mail address, or a web address"),
        ("SOURCES", "Contact = a@\u00e9", "an e-mail address, or a web address"),
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

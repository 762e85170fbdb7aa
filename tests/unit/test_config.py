"""Settings in force: one file and its problems, and what is never shown."""

import re
import string
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ctmonitor.addresses import MASK, Destination
from ctmonitor.config import Config, describe, load
from ctmonitor.errors import ConfigError
from ctmonitor.model.text import printable
from ctmonitor.rules.weights import DEFAULTS
from ctmonitor.settings import SETTINGS
from ctmonitor.sources.start import Start
from tests.settings_files import NEEDED, with_line

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests/vectors/conf"


def test_config_has_a_field_for_each_row_in_the_order_of_the_table() -> None:
    names = [f.name for f in fields(Config)]
    assert names == [
        "path",
        *dict.fromkeys(s.attribute.partition(".")[0] for s in SETTINGS),
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
        "regex_file": "",
        "allow_file": "",
        "brand_file": "",
        "popular_file": "",
        "popular_ranks": 100_000,
        "alert_score": 100,
        "source": frozenset(),
        "replay_file": "",
        "stall_seconds": 60.0,
        "stale_minutes": 15.0,
        "queue_messages": 5000,
        "max_message_mb": 16,
        "retry_first_seconds": 60.0,
        "max_retry_seconds": 60.0,
        "failover_minutes": 10.0,
        "log_list": "https://www.gstatic.com/ct/log_list/v3/log_list.json",
        "log_list_key": "",
        "cache_dir": "cache",
        "logs": (),
        "exclude_logs": (),
        "start": Start(),
        "poll_seconds": 15.0,
        "max_requests": 8,
        "max_requests_operator": 24,
        "verify": True,
        "evidence_dir": "evidence",
        "contact": "",
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
        "keep_days": 365,
        "log_file": "",
        "log_level": 20,
        "log_type": "file",
        "alerts_dir": "./alerts/%Y/%m/%d",
        "export_file": "",
        "alert_monitor_timelapse": 180,
        "notification_destination": (),
        "fallback_destination": "",
        "notify_on": "up",
        "notify_tags": (),
        "alert_on": frozenset(),
        "digest_per_minute": 20,
        "alert_tries": 8,
        "hook": (),
        "hook_timeout": 30.0,
        "heartbeat_url": "",
        "connect_proxy": "",
        "http_ua": "",
        "ua_file": "",
        "scan_resolvers": (),
        "scan_allow_private": (),
        "scan_concurrency": 1000,
        "scan_host_timeout": 15.0,
        "scan_connect_timeout": 5.0,
        "scan_run_timeout": 0.0,
        "scan_ca_file": "",
        "scan_body_bytes": 524_288,
        "scan_https_ports": (443,),
        "scan_http_ports": (80,),
        "scan_favicon": True,
        "scan_revisit_hours": 24.0,
        "scan_first_minutes": 10.0,
        "scan_longest_hours": 24.0,
        "enrich_asn": True,
        "enrich_mmdb_file": "",
        "enrich_rdap_ip_url": "",
        "enrich_domain": True,
        "enrich_rdap_bootstrap": "https://data.iana.org/rdap/dns.json",
        "safe_browsing_api_key": "",
        "safe_browsing_api_url": "https://safebrowsing.googleapis.com",
        "safe_browsing_daily_budget": 10_000,
        "own_domains": (),
        "own_source": frozenset({"crtsh"}),
        "own_crtsh_url": "https://crt.sh",
        "own_crtsh_pause": 12.0,
        "own_certspotter_url": "https://api.certspotter.com",
        "own_certspotter_key": "",
        "own_certspotter_hourly": 10,
        "own_retry_seconds": 5.0,
        "own_tries": 5,
        "own_max_answer_mb": 64,
        "own_authorised_cas": (),
        "own_keys": (),
        "own_short_lived_hours": 24.0,
        "own_normal_issuers": (),
        "own_expiry_days": (30, 14, 7),
        "own_quiet": frozenset(),
        "own_webhook": "",
        "own_webhook_format": "",
        "own_smtp_host": "",
        "own_smtp_port": 587,
        "own_smtp_user": "",
        "own_smtp_pass": "",
        "own_email_from": (),
        "own_email_to": (),
        "own_digest_from": 20,
        "own_state": "",
        "own_state_endpoint": "",
    }
    assert config.weights == DEFAULTS
    found = {s.attribute: config.value(s) for s in SETTINGS if s.section != "WEIGHTS"}
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
    assert config.notification_destination == (
        Destination("slack://token-a/token-b/token-c"),
    )


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
    ("REPORTING", f"Fallback_Destination = slack://{SECRET}/b"),
    ("REPORTING", f"Heartbeat_URL = https://u:{SECRET}@h/{SECRET}?{SECRET}"),
    ("REPORTING", f"Heartbeat_URL = https://ping.example/{SECRET}"),
    ("REPORTING", "Hook = post --token ${SECRET}"),
    ("REPORTING", f"extra = {SECRET}\nHeartbeat_URL = https://h/%(extra)s"),
    (
        "REPORTING",
        f"Heartbeat_URL = https://h/{SECRET}\nHook = fetch %(Heartbeat_URL)s",
    ),
    ("SAFEBROWSING", f"API_URL = https://u:{SECRET}@h/v4?key={SECRET}"),
    ("SAFEBROWSING", "API_URL = https://h/${SECRET}"),
    ("ENRICH", f"RDAP_IP_URL = https://u:{SECRET}@h/"),
    ("ENRICH", f"RDAP_Bootstrap = https://h/dns.json?{SECRET}"),
    ("DATABASE", f"URL = postgresql://u:{SECRET}@db.example/ct?password={SECRET}"),
    ("CONNECT", f"Proxy = socks5://u:{SECRET}@p.example:1080"),
]


@pytest.mark.parametrize(("section", "lines"), SECRET_PLACES)
def test_no_secret_is_described(section: str, lines: str, read) -> None:
    config = read(with_line(section, lines), SECRET=SECRET)
    values = [str(config.value(s)) for s in SETTINGS]
    values += [one.url for one in config.notification_destination]
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
        ("REPORTING", f"Fallback_Destination = slack://{SECRET}, json://{SECRET}"),
        ("REPORTING", f"Heartbeat_URL = ftp://ping.example/{SECRET}"),
        ("REPORTING", f"Heartbeat_URL = ping.example/{SECRET}"),
        ("REPORTING", "Hook = 'post ${SECRET}"),
        ("SAFEBROWSING", f"API_URL = ftp://u:{SECRET}@h/?key={SECRET}"),
        ("SCAN", "Resolver = ${SECRET}"),
        ("SCAN", "Allow_Private = ${SECRET}"),
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


@pytest.mark.parametrize(
    ("section", "line", "shown"),
    [
        ("SCAN", "Favicon = OFF", "Favicon = no"),
        ("SCAN", "Https_Ports = 8443, 443", "Https_Ports = 8443 443"),
        (
            "SCAN",
            "Allow_Private = ::1,127.0.0.0/8",
            "Allow_Private = ::1/128 127.0.0.0/8",
        ),
        (
            "SCAN",
            "Resolver = 127.0.0.1 [::1]:5353",
            "Resolver = 127.0.0.1:53 [::1]:5353",
        ),
        ("SCAN", "Host_Timeout = 2.50", "Host_Timeout = 2.5"),
        ("REPORTING", "Alert_On = changed, DOWN", "Alert_On = down changed"),
        ("REPORTING", "Hook = run  'a b' c", "Hook = run 'a b' c"),
        (
            "REPORTING",
            "Heartbeat_URL = https://h/x",
            f"Heartbeat_URL = https://h/{MASK}",
        ),
        ("ENRICH", "RDAP_Bootstrap = /a@b?.json", "RDAP_Bootstrap = /a@b?.json"),
        ("ENRICH", "RDAP_IP_URL = http://h/x", "RDAP_IP_URL = http://h/x"),
        (
            "REPORTING",
            "Notification_Destination = json://a/?x=1,2 ntfy://b,",
            f"Notification_Destination = json://{MASK} ntfy://{MASK}",
        ),
        (
            "REPORTING",
            "Notification_Destination = SOC,ops=json://a/x ntfy://b\n  x-1=json://c",
            f"Notification_Destination = soc,ops=json://{MASK} ntfy://{MASK} "
            f"x-1=json://{MASK}",
        ),
        (
            "REPORTING",
            "Notify_Tags = Found=Triage\n up=soc,ops",
            "Notify_Tags = found=triage up=soc,ops",
        ),
    ],
)
def test_a_value_is_described(section: str, line: str, shown: str, read) -> None:
    assert shown in describe(read(with_line(section, line)))


@given(st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_described_means_the_same(read, data: st.DataObject) -> None:
    """For lists and numbers, as whoever copies them from `--check-config` expects."""
    port = st.integers(1, 65_535)
    address = st.ip_addresses()
    lines = [
        f"Resolver = {', '.join(f'[{a}]:{p}' for a, p in pairs)}"
        if (pairs := data.draw(st.lists(st.tuples(address, port), max_size=3)))
        else "",
        f"Allow_Private = {' '.join(map(str, data.draw(st.lists(address))))}",
        f"Http_Ports = {' '.join(map(str, data.draw(st.lists(port))))}",
        f"Host_Timeout = {data.draw(st.integers(1, 6000)) / 10}",
        f"Favicon = {data.draw(st.sampled_from(['yes', 'False', 'ON', '0']))}",
    ]
    config = read(NEEDED + "[SCAN]\n" + "\n".join(lines))
    again = read("\n".join(describe(config)))
    for attribute in (s.attribute for s in SETTINGS if s.section == "SCAN"):
        assert getattr(again, attribute) == getattr(config, attribute)


def test_an_unset_secret_is_shown_as_unset(read) -> None:
    assert "Proxy_Password =" in describe(read(NEEDED))


def test_a_value_from_the_environment_is_shown_where_it_is_no_address(read) -> None:
    config = read(with_line("DATABASE", "DBFile = ${HOME}/ct.db"), HOME="/home/ct")
    assert "DBFile = /home/ct/ct.db" in describe(config)
    assert config.from_environment == {"db_file"}


@pytest.mark.parametrize("source", ["", "[SOURCES]\nSource = replay\n"])
def test_who_reads_no_feed_needs_none_in_the_file(source: str, tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text(f"[SEARCH]\nSearchKeywords = paypal\n{source}")
    config = load(path, {}, needs_source=False)
    assert (config.act_servers, config.replay_file) == ((), "")
    assert config.warnings == ()
    with pytest.raises(ConfigError, match="is missing and must be given"):
        load(path, {})


def test_who_reads_no_feed_is_still_told_of_one_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("[SEARCH]\n[SERVER]\nACTServer = http://a/\n")
    with pytest.raises(ConfigError) as caught:
        load(path, {}, needs_source=False)
    assert len(caught.value.problems) == 2


def test_tags_say_who_is_told_of_what(read) -> None:
    """A kind that is not named goes to all, and no tags are told of everything."""
    config = read(
        with_line(
            "REPORTING",
            "Notification_Destination = soc=a://1 b://2 triage,soc=c://3 ops=d://4\n"
            "Notify_Tags = found=triage up=soc,ops down=nobody",
        )
    )
    told = ("found", "up", "down", "back", "changed")
    assert {kind: config.destinations_of(kind) for kind in told} == {
        "found": (1, 2),
        "up": (0, 1, 2, 3),
        "down": (1,),
        "back": (0, 1, 2, 3),
        "changed": (0, 1, 2, 3),
    }


def test_weights_are_kept_together_and_shown(read) -> None:
    config = read(with_line("WEIGHTS", "WholeWord = 12.5"))
    assert config.weights == {**DEFAULTS, "WholeWord": 12.5}
    assert "WholeWord = 12.5" in describe(config)

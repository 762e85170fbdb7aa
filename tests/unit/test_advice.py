"""What is missing, unused, misspelt or odd in a file as a whole."""

import pytest

from ctmonitor.rules.ruleset import Rules, RuleSet
from tests.settings_files import NEEDED, with_line


def test_an_indented_key_is_told_to_be_part_of_the_value_above(read) -> None:
    config = read(
        with_line("SEARCH", "BlacklistKeywords = a\n  DetectionThreshold = 2")
    )
    assert config.detection_threshold == 1
    assert "does not set DetectionThreshold" in config.warnings[0]
    assert "line 3" in config.warnings[0]


def test_a_replay_needs_no_feed(read) -> None:
    config = read(
        "[SEARCH]\nSearchKeywords=a\n[SOURCES]\nSource = Replay\nReplay_File = x.gz"
    )
    assert (config.source, config.replay_file) == ({"replay"}, "x.gz")
    assert config.act_servers == ()


def test_the_logs_need_no_feed(read) -> None:
    config = read("[SEARCH]\nSearchKeywords=a\n[SOURCES]\nSource = Logs\nContact=a@b.c")
    assert (config.source, config.act_servers) == ({"logs"}, ())
    assert config.warnings == ()


def test_the_logs_beside_a_feed_do(problems) -> None:
    (problem,) = problems(
        "[SEARCH]\nSearchKeywords = a\n"
        "[SOURCES]\nSource = certstream, logs\nContact = a@b.c\n"
    )
    assert "[SERVER] ACTServer is missing" in problem


def test_what_an_unknown_source_would_need_is_not_guessed(problems) -> None:
    (problem,) = problems("[SEARCH]\nSearchKeywords=a\n[SOURCES]\nSource = log\n")
    assert "[SOURCES] Source: 'log' is not accepted" in problem


def test_a_recording_is_replayed_alone(problems) -> None:
    told = problems(with_line("SOURCES", "Source = logs replay\nReplay_File = a"))
    assert any("a recording is replayed alone" in problem for problem in told)


def test_without_a_feed_the_next_step_is_told(problems) -> None:
    (problem,) = problems("[SEARCH]\nSearchKeywords = a\n")
    assert problem == (
        "[SERVER] ACTServer is missing and must be given unless Source is logs or "
        "replay; accepted is ws:// or wss:// addresses, one or several, with white "
        "space or commas between. For example: ACTServer = ws://127.0.0.1:8080/"
    )


@pytest.mark.parametrize(
    ("section", "line", "words"),
    [
        ("SEARCH", "SearchKeyword = x", "Did you mean SearchKeywords?"),
        ("SEARCH", "TableName = x", "TABLEname belongs in [DATABASE]"),
        ("SEARCH", "TabelName = x", "Did you mean TABLEname in [DATABASE]?"),
        ("SEARCH", "Zzz = x", "docs/settings.md lists all keys"),
        ("SEARHC", "SearchKeywords = x", "Did you mean [SEARCH]?"),
        ("SEARCH", "ca_file = x", "CA_File belongs in [SERVER] or [SCAN]"),
        ("SEARCH", "CAFile = x", "Did you mean CA_File in [SERVER] or [SCAN]?"),
        ("SCAN", "CAFile = x", "Did you mean CA_File?"),
        ("SCAN", "Hook = x", "Hook belongs in [REPORTING]"),
        ("MINE", "CA_File = x", "CA_File belongs in [SERVER] or [SCAN]"),
        ("SCAN", "Connect_Timeout = 16", "Connect_Timeout is longer than Host_Timeout"),
        (
            "SCAN",
            "First_Minutes = 90\nLongest_Hours = 1",
            "First_Minutes is longer than Longest_Hours",
        ),
        ("SCAN", "Allow_Private = 0.0.0.0/0", "holds every address"),
        (
            "REPORTING",
            "Fallback_Destination = json://h",
            "given without Notification_Destination, so it is not used",
        ),
        (
            "REPORTING",
            "Notification_Destination = soc=json://h\nNotify_Tags = up=soc,osc",
            "no address in Notification_Destination has the tag osc",
        ),
        ("REPORTING", "Notify_Tags = up=soc", "has the tag soc"),
        ("MINE", "DBFile = x", "is no section of ours"),
        ("MINE", "DBFile = x", "DBFile belongs in [DATABASE]"),
        ("DATABASE", 'DBFile = "a b.db"', "the quotes are part of the value"),
        ("DATABASE", "DBFile = a.db # here", "A comment needs a line of its own"),
        ("SEARCH", "BlacklistKeywords = a|", "is not counted"),
        ("SEARCH", "SearchKeywords = a|", "is not counted"),
        ("SERVER", "Proxy_Port = 8080", "Proxy_Port is given without Proxy_Host"),
        ("SERVER", "Proxy_Username = u", "Proxy_Username is given without Proxy_Host"),
        ("SERVER", "Proxy_Password = u", "Proxy_Password is given without Proxy_Host"),
        ("DATABASE", "DBFile = a\nURL = sqlite:///b", "URL is used"),
        ("SOURCES", "Replay_File = x", "Replay_File is not used"),
        ("SOURCES", "Source = logs\nVerify = no", "what no log has signed"),
        ("SOURCES", "Source = logs", "Contact is empty"),
    ],
)
def test_what_is_odd_is_a_warning(section: str, line: str, words: str, read) -> None:
    warnings = read(with_line(section, line)).warnings
    assert any(words in warning for warning in warnings)
    assert all("a.conf, line " in warning for warning in warnings)


@pytest.mark.parametrize(
    ("section", "lines"),
    [
        ("SCAN", "Host_Timeout = 2"),
        ("SCAN", "First_Minutes = 60\nLongest_Hours = 1"),
        ("SCAN", "Allow_Private = 127.0.0.0/8"),
        ("REPORTING", "Hook = '/srv/a b'"),
        (
            "REPORTING",
            "Notification_Destination = a://b\nFallback_Destination = json://h",
        ),
        (
            "REPORTING",
            "Notification_Destination = soc,ops=json://h\nNotify_Tags = up=SOC",
        ),
    ],
)
def test_what_is_in_order_is_no_warning(section: str, lines: str, read) -> None:
    assert read(with_line(section, lines)).warnings == ()


def test_a_key_of_two_sections_sets_that_of_its_own(read) -> None:
    config = read(with_line("SERVER", "CA_File = feed.pem") + "[SCAN]\nCA_File = s.pem")
    assert (config.ca_file, config.scan_ca_file) == ("feed.pem", "s.pem")
    assert config.warnings == ()


def test_a_key_of_the_defaults_sets_it_in_every_section(read) -> None:
    config = read(NEEDED + "[DEFAULT]\nCA_File = all.pem\n")
    assert (config.ca_file, config.scan_ca_file) == ("all.pem", "all.pem")
    assert config.warnings == ()


def test_a_misspelt_key_is_told_beside_the_missing_one(problems) -> None:
    told = problems(NEEDED.replace("SearchKeywords", "SearchKeyword"))
    assert "Did you mean SearchKeywords?" in told[0]
    assert "SearchKeywords is missing" in told[1]


def test_an_indented_key_is_told_below_a_key_that_stands_twice(problems) -> None:
    told = problems(NEEDED + "ACTServer = ws://b/\n   Proxy_Port = 1\n")
    assert any("does not set Proxy_Port" in problem for problem in told)


def test_an_empty_match_of_the_blacklist_blocks_nothing_as_the_warning_says(
    read,
) -> None:
    config = read(with_line("SEARCH", "BlacklistKeywords = intranet|"))
    (warning,) = config.warnings
    assert "matches the empty text, which is not counted" in warning
    ruleset = RuleSet(Rules(config.search_keywords, config.blacklist_keywords))
    assert ruleset.judge_name("paypal.example").outcome.value == "match"


@pytest.mark.parametrize(
    ("line", "is_told"),
    [("extra = 1", True), ("extra = 1\nhttp_UA = %(EXTRA)s", False)],
)
def test_a_key_of_which_another_takes_the_value_is_not_unknown(
    line: str, is_told: bool, read
) -> None:
    assert bool(read(with_line("CONNECT", line)).warnings) == is_told

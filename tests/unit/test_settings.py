"""The table of settings, and the two texts that are made from it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ctmonitor.settings import BY_KEY, SECTIONS, SETTINGS, Kind
from ctmonitor.settings_page import example_conf, main, settings_page

ROOT = Path(__file__).parents[2]

# Spelled as users' files have them; a change here breaks a promise.
PROMISED = {
    "SEARCH": "SearchKeywords BlacklistKeywords DetectionThreshold",
    "DATABASE": "DBFile TABLEname",
    "CONNECT": "Proxy http_UA UAfile",
    "LOGGING": "LogFile LogLevel LogType",
    "REPORTING": "Alerts_dir Alert_Monitor_timelapse Notification_Destination",
    "SERVER": "ACTServer Proxy_Host Proxy_Port Proxy_Username Proxy_Password",
    "SAFEBROWSING": "Safe_Browsing_API_Key",
}


def test_keys_of_the_old_program_are_all_there_and_no_others_claim_to_be_old() -> None:
    promised = {(s, key) for s, keys in PROMISED.items() for key in keys.split()}
    old = {(s.section, s.key) for s in SETTINGS if s.since == "CertStreamMonitor"}
    assert old == promised


def test_a_key_names_one_setting_of_its_section_whatever_its_case() -> None:
    assert len({(s.section, s.key.lower()) for s in SETTINGS}) == len(SETTINGS)
    assert len({s.attribute for s in SETTINGS}) == len(SETTINGS)


def test_a_key_leads_to_its_settings_in_all_sections() -> None:
    assert {(s.section, s.key) for found in BY_KEY.values() for s in found} == {
        (s.section, s.key) for s in SETTINGS
    }
    assert [s.section for s in BY_KEY["ca_file"]] == ["SERVER", "SCAN"]


def test_settings_stand_together_in_the_order_of_their_sections() -> None:
    assert list(dict.fromkeys(s.section for s in SETTINGS)) == list(SECTIONS)
    order = [list(SECTIONS).index(s.section) for s in SETTINGS]
    assert order == sorted(order)


def test_every_setting_stands_in_a_section_and_every_section_has_one() -> None:
    assert {s.section for s in SETTINGS} == set(SECTIONS)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.key)
def test_a_row_is_complete(setting) -> None:
    assert setting.help.isprintable()
    assert not setting.help.endswith(".")
    assert (setting.kind in (Kind.CHOICE, Kind.WORDS, Kind.ROUTES)) == bool(
        setting.choices
    )
    assert setting.default or setting.kind is not Kind.BOOLEAN
    assert setting.default == "" or not setting.required
    if setting.kind is Kind.NUMBER or setting.kind is Kind.INTEGER:
        assert setting.minimum is not None


def test_accepted_tells_range_and_unit() -> None:
    accepted = {s.key: s.accepted for s in SETTINGS}
    assert accepted["Stall_Seconds"] == "a number of seconds, 1 to 3600"
    assert accepted["DetectionThreshold"] == "a whole number, 1 or more"
    assert accepted["LogType"] == "file, syslog or stderr"
    assert accepted["Host_Timeout"] == "a number of seconds, 0.1 to 600"
    assert accepted["Alert_On"].startswith("one or several of down, back, changed, ")


def test_the_example_file_is_the_one_the_table_makes() -> None:
    """When this fails: `python -m ctmonitor.settings example > conf/example.conf`."""
    shipped = (ROOT / "conf/example.conf").read_text("utf-8")
    assert shipped == example_conf()


def test_the_manual_is_the_one_the_table_makes() -> None:
    """When this fails: `python -m ctmonitor.settings page > docs/settings.md`."""
    assert (ROOT / "docs/settings.md").read_text("utf-8") == settings_page()


def test_the_example_file_has_every_key_once_below_its_help() -> None:
    lines = example_conf().splitlines()
    keys = [
        m[1] for line in lines if (m := re.match(r"#?([A-Za-z_0-9]+) =(?: |$)", line))
    ]
    assert sorted(keys) == sorted(s.key for s in SETTINGS)
    for setting in SETTINGS:
        where = next(
            i
            for i, li in enumerate(lines)
            if li == f"# {setting.help}." or (li.startswith(f"# {setting.help} ("))
        )
        below = next(li for li in lines[where:] if not li.startswith("# "))
        assert below.removeprefix("#").startswith(f"{setting.key} =")
        has_value = bool(setting.default or setting.example)
        assert below.startswith("#") == (setting.is_measured or not has_value)


def test_the_manual_has_a_row_for_every_key_and_no_cell_too_many() -> None:
    page = settings_page()
    for setting in SETTINGS:
        section = page.split(f"\n## [{setting.section}]\n")[1].split("\n## ")[0]
        start = f"| `{setting.key}` |"
        (row,) = (li for li in section.splitlines() if li.startswith(start))
        assert len(re.findall(r"(?<!\\)\|", row)) == 6
        assert setting.help in row.replace(r"\|", "|")


def test_the_example_file_names_no_feed_of_others() -> None:
    addresses = re.findall(r"wss?://[a-z0-9][^\s]*", example_conf())
    assert addresses == ["ws://127.0.0.1:8080/"]


@pytest.mark.parametrize(
    ("argument", "text"), [("example", example_conf()), ("page", settings_page())]
)
def test_the_module_prints_the_text(argument: str, text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ctmonitor.settings", argument],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == text


@pytest.mark.parametrize("arguments", [[], ["manual"], ["page", "example"]])
def test_the_module_tells_its_usage(arguments: list[str], capsys) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "example|page" in printed.err

"""What the documentation says is what the code does."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import ctmonitor
from ctmonitor.cli import findings
from ctmonitor.config import load
from ctmonitor.followup.followup import Summary
from ctmonitor.model.batch import GapCause, Sighting
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.finding import Finding, Novelty, Recorded
from ctmonitor.model.followup import EventKind
from ctmonitor.model.own import SEVERITIES, AlertType
from ctmonitor.model.site import DnsState, EnrichmentStatus, Presence, SiteReport
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason, Verdict
from ctmonitor.monitor.tally import Tally
from ctmonitor.settings import SETTINGS, Setting
from scripts.docs import generated
from tests.data import missing

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
COMMANDS = ROOT / "docs" / "commands.md"
OPERATIONS = ROOT / "docs" / "operations.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
ALERTS = ROOT / "docs" / "alerts.md"
OWN = ROOT / "docs" / "own.md"
CHANGELOG = ROOT / "CHANGELOG.md"
PAGES = [README, CHANGELOG, *sorted((ROOT / "docs").glob("*.md"))]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_MAKE = re.compile(r"^(?:\$ )?make(?: [A-Z0-9]+=\S+)* ([a-z-]+)|`make ([a-z-]+)", re.M)
_TARGET = re.compile(r"^([a-z][a-z-]*):", re.M)
# Of a machine somebody worked on, and folders beside the checkout.
_FOREIGN = re.compile(
    r"\.\./shared|(?<![\w.])/(?:work|root|opt/wheels|tmp)/|/home/[a-z]|pyenv"
)


def _text(path: Path) -> str:
    return path.read_text("utf-8")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _product_files() -> list[Path]:
    patterns = (
        "*.md",
        "*.py",
        "*.txt",
        "Makefile",
        "pyproject.toml",
        "conf/*.conf",
        "ctmonitor/**/*.py",
        "deploy/**/*",
        "docs/*",
        "scripts/*.*",
    )
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return [path for path in found if path.is_file()]


# Made from the code


def test_pages_made_from_the_code_are_up_to_date() -> None:
    made = dict(generated())
    assert len(made) == 3
    outdated = [str(path) for path in made if _text(ROOT / path) != made[path]]
    assert outdated == [], "next step: make docs"


@pytest.mark.parametrize(
    "setting", SETTINGS, ids=lambda setting: f"{setting.section}-{setting.key}"
)
def test_every_setting_has_its_line_in_the_section_of_the_manual(
    setting: Setting,
) -> None:
    page = _text(ROOT / "docs" / "settings.md")
    section = page.split(f"\n## [{setting.section}]\n")[1].split("\n## ")[0]
    assert re.search(rf"^\| `{setting.key}` \| \w", section, re.M)


@pytest.mark.parametrize("script", sorted(ROOT.glob("*.py")), ids=_name)
def test_every_command_has_its_help_in_the_manual_and_a_row_in_the_readme(
    script: Path,
) -> None:
    page = _text(COMMANDS)
    block = page.split(f"<!-- help: {script.name} -->\n")[1].split("<!-- /help -->")[0]
    assert f"usage: {script.name} " in block
    assert "| `--version` |" in block
    assert f"| `{script.name} " in _text(README)


# Written by hand, held to the code


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(_TARGET.findall(_text(ROOT / "Makefile")))
    named = {one or other for one, other in _MAKE.findall(_text(page))}
    assert named <= targets
    if page == README:
        assert {"demo", "test", "run", "check", "bench", "help"} <= named


def test_make_help_lists_every_target_for_people() -> None:
    makefile = _text(ROOT / "Makefile")
    listed = set(re.findall(r"@echo 'make ([a-z-]+)", makefile))
    inner = {"help", "run-environment", "dev-environment"}
    assert listed == set(_TARGET.findall(makefile)) - inner


def test_the_readme_begins_with_the_two_commands() -> None:
    first_block = _text(README).split("```")[1]
    commands = [line for line in first_block.splitlines() if line.startswith("make ")]
    assert [line.split()[1] for line in commands] == ["demo", "test"]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_within_the_checkout_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(_text(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{_name(page)} leads to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", _text(file), re.M)
            assert anchor in map(_anchor, headings), f"{_name(page)}: {target}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("cause", GapCause)
def test_every_cause_of_a_gap_is_explained(cause: GapCause) -> None:
    for page in (OPERATIONS, ARCHITECTURE):
        assert re.search(rf"^\| `{cause.value}` \| \w", _text(page), re.M)


def test_every_count_of_the_last_line_is_explained() -> None:
    for count in re.findall(r"(\w+)=", str(Tally())):
        assert re.search(rf"^\| `{count}` \| \w", _text(COMMANDS), re.M), count


@pytest.mark.parametrize("outcome", Outcome)
def test_every_verdict_is_named(outcome: Outcome) -> None:
    section = _text(COMMANDS).split("\n## check_rules.py\n")[1]
    assert f"`{outcome.value}`" in section


def test_every_key_of_a_finding_as_json_is_explained() -> None:
    sighting = Sighting(("a.example",), "feed", Certificate(("a.example",), serial=1))
    reason = Reason("a", "keyword")
    verdict = Verdict((NameVerdict("a.example", Outcome.MATCH, 1, (reason,)),))
    recorded = Recorded("a.example", Novelty.NEW, Finding(sighting, verdict))
    told = findings.as_object(recorded, datetime(2026, 11, 21, tzinfo=UTC))
    section = _text(COMMANDS).split("With `--json`")[1].split("\nSignals:")[0]
    assert set(told) <= set(re.findall(r"`(\w+)`", section))


@pytest.mark.parametrize(
    ("heading", "least"), [("## Health", 10), ("### What the scanner says", 10)]
)
def test_every_sentence_that_the_manual_quotes_from_the_log_is_one_of_ours(
    heading: str, least: int
) -> None:
    """In the first column `...` stands for what differs from case to case."""
    code = "\n".join(_text(path) for path in sorted(ROOT.glob("ctmonitor/**/*.py")))
    # A string that goes on in the next line is one string.
    code = re.sub(r'"\s*\n\s*f?"', "", code)
    section = _text(OPERATIONS).split(f"\n{heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \|", section, re.M)
    quotes = [quote for row in rows for quote in re.findall(r"`([^`]+)`", row)]
    assert len(quotes) > least
    for quote in quotes:
        for part in filter(None, map(str.strip, quote.split("..."))):
            assert part in code, f"docs/operations.md quotes {quote!r}"


# The scanner and its alerts


def _scanhost_section() -> str:
    return _text(COMMANDS).split("\n## scanhost.py\n")[1].split("\n## ")[0]


def test_every_count_of_a_run_is_explained() -> None:
    counts = re.findall(r"(\w+)=", str(Summary()))
    assert len(counts) > 3
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", _scanhost_section(), re.M)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert set(counts) <= explained


def test_every_word_of_an_error_line_is_explained() -> None:
    code = "\n".join(_text(path) for path in sorted(ROOT.glob("ctmonitor/scan/*.py")))
    said = set(re.findall(r'VisitFailure\(\s*"([^"]+)"', code))
    said |= set(re.findall(r'DnsState\.\w+: "([^"]+)"', code))
    assert len(said) > 6
    rows = re.findall(r"^\| `([^`|]+)` \| .+ \| (\w+) \|$", _scanhost_section(), re.M)
    explained = {words for words, counts_as in rows if counts_as in set(Presence)}
    assert said <= explained


def test_every_key_of_a_report_as_json_is_explained() -> None:
    table = _scanhost_section().split("With `--json`")[1].split("\nSignals:")[0]
    explained = set(re.findall(r"`(\w+)`", table))
    assert {one.name for one in fields(SiteReport)} <= explained
    for value in Presence:
        assert value.value in explained


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(_text(ROOT / "docs" / "alert.schema.json"))
    return schema


def _keys_below(schema: Any) -> Iterator[str]:
    """Names of the properties of the objects within a part of the schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _keys_below(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _keys_below(part)


@pytest.mark.parametrize("key", sorted(_schema()["properties"]))
def test_every_key_of_an_alert_is_explained(key: str) -> None:
    row = re.search(rf"^\| `{key}` \| (\w.+|`.+) \|$", _text(ALERTS), re.M)
    assert row is not None, f"docs/alerts.md has no row for {key}"
    inner = set(_keys_below(_schema()["properties"][key])) - {"matches"}
    assert inner <= set(re.findall(r"`(\w+)`", row[1]))


@pytest.mark.parametrize(
    "value", [*EventKind, *Presence, *DnsState, *EnrichmentStatus], ids=repr
)
def test_every_word_that_an_alert_may_hold_is_named(value: str) -> None:
    assert f"`{value}`" in _text(ALERTS)


def test_the_manual_of_alerts_describes_no_key_that_is_not_there() -> None:
    keys = re.findall(r"^\| `(\w+)` \|", _text(ALERTS), re.M)
    assert set(keys) == set(_schema()["properties"])


def test_the_first_keys_of_an_alert_are_those_that_are_promised() -> None:
    promised = (
        "hostname http_code cert_serial_number webpage_title ip_addr asn asn_cidr "
        "asn_country_code asn_description asn_abuse_email safe_browsing_status"
    )
    assert list(_schema()["properties"])[:11] == promised.split()


def test_the_units_start_what_is_there_with_the_same_settings() -> None:
    started = set()
    for unit in sorted((ROOT / "deploy").glob("*.service")):
        (command,) = re.findall(r"^ExecStart=(.+)$", _text(unit), re.M)
        python, script, option, settings = command.split()
        assert (python, option) == ("/opt/ctmonitor/.venv/bin/python", "-c")
        assert settings == "/etc/ctmonitor/ctmonitor.conf"
        assert (ROOT / Path(script).name).exists()
        started.add(f"{unit.stem}.py")
        assert Path(script).name == f"{unit.stem}.py"
    assert started == {"certstreammonitor.py", "scanhost.py", "watchdomains.py"}


def test_the_cron_lines_and_the_timers_start_runs_that_exist() -> None:
    for page, minutes, script in (
        (README, 10, "scanhost"),
        (OPERATIONS, 10, "scanhost"),
        (OWN, 15, "watchdomains"),
    ):
        line = re.search(rf"^\*/{minutes} \* \* \* \* .+$", _text(page), re.M)
        assert line is not None
        assert "cd /var/lib/ctmonitor && " in line[0]
        command = f"/opt/ctmonitor/{script}.py -c /etc/ctmonitor/ctmonitor.conf"
        assert command in line[0]
        timer = _text(ROOT / "deploy" / f"{script}.timer")
        for setting in ("OnCalendar=", "Persistent=true", "RandomizedDelaySec="):
            assert f"\n{setting}" in timer


def test_the_units_are_hardened_alike() -> None:
    """From the first such line on; above it stands what each program is."""
    units = sorted((ROOT / "deploy").glob("*.service"))
    assert len(units) == 3
    hardened = {_text(unit).split("\nNoNewPrivileges=yes\n")[1] for unit in units}
    with_install = {text.split("\n[Install]")[0].strip() for text in hardened}
    assert len(with_install) == 1


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        missing("no systemd-analyze here", "apt-get install systemd")
    units = []
    for unit in sorted((ROOT / "deploy").glob("*.[st][ei]*")):
        copy = tmp_path / unit.name
        # What it starts is not installed here.
        text = re.sub(r"^(ExecStart=)\S+", r"\g<1>/bin/true", _text(unit), flags=re.M)
        copy.write_text(text, "utf-8")
        units.append(str(copy))
    assert len(units) == 5
    done = subprocess.run(
        [verify, "--man=no", "verify", *units],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


# Own domains


@pytest.mark.parametrize("kind", AlertType)
def test_every_alert_on_own_domains_is_explained_with_its_severity(
    kind: AlertType,
) -> None:
    row = re.search(rf"^\| `{kind}` \| (\w+) \| \w.+ \|$", _text(OWN), re.M)
    assert row is not None
    assert row[1] == SEVERITIES[kind]


def test_every_key_of_the_report_on_own_domains_is_explained() -> None:
    schema = json.loads(_text(ROOT / "docs" / "own-report.schema.json"))
    section = _text(OWN).split("\n## The report\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section, re.M)
    explained = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert explained == set(schema["properties"])


def test_the_settings_that_the_manual_of_own_domains_shows_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_WEBHOOK", "https://hooks.example/x")
    blocks = re.findall(r"```\n(\[(?:SOURCES|OWN)\]\n.+?)```", _text(OWN), re.S)
    assert len(blocks) == 2
    for block in blocks:
        file = tmp_path / "own.conf"
        file.write_text(block, "utf-8")
        config = load(str(file), os.environ, needs_source=False, needs_rules=False)
        assert config.own_authorised_cas[0] == "Let's Encrypt"


# What must not be there


@pytest.mark.parametrize("file", _product_files(), ids=_name)
def test_no_file_names_a_place_of_one_machine(file: Path) -> None:
    found = _FOREIGN.search(_text(file))
    assert found is None, f"{_name(file)} names {found and found[0]!r}"


# Versions


def test_package_and_changelog_have_the_version_of_pyproject() -> None:
    project = tomllib.loads(_text(ROOT / "pyproject.toml"))["project"]
    version = project["version"]
    assert ctmonitor.__version__ == version
    headings = re.findall(r"^## \[?([^\]\s]+)", _text(CHANGELOG), re.M)
    assert headings[:2] == ["Unreleased", version]


def _pinned(file: str) -> dict[str, str]:
    """Versions by name, as pip compares names."""
    pin = r"^([\w-]+)(?:\[\w+\])?==([\w.]+)(?:; \w+ == \"\w+\")?$"
    found = re.findall(pin, _text(ROOT / file), re.M)
    return {name.lower().replace("_", "-"): version for name, version in found}


def _is_at_least(version: str, least: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(".")]

    return numbers(version) >= numbers(least)


def test_pinned_requirements_satisfy_the_bounds_of_pyproject() -> None:
    project = tomllib.loads(_text(ROOT / "pyproject.toml"))["project"]
    run = _pinned("requirements.txt")
    assert len(project["dependencies"]) > 5
    for bound in project["dependencies"]:
        name, least = bound.split(">=")
        assert _is_at_least(run[name.lower()], least), bound
    # The tests try what is installed only on demand, too.
    every = run | _pinned("requirements-dev.txt")
    extras = project["optional-dependencies"].values()
    for bound in [bound for extra in extras for bound in extra]:
        name, least = re.sub(r"\[\w+\]", "", bound).split(">=")
        assert _is_at_least(every[name.lower()], least), bound


def test_every_line_of_the_requirements_is_an_exact_version() -> None:
    for file in ("requirements.txt", "requirements-dev.txt"):
        lines = [
            line for line in _text(ROOT / file).splitlines() if not line.startswith("#")
        ]
        pins = [line for line in lines if line != "-r requirements.txt"]
        assert len(pins) == len(_pinned(file)) > 10
    assert not _pinned("requirements.txt").keys() & _pinned("requirements-dev.txt")


def test_the_advice_on_extras_names_the_versions_that_are_tested() -> None:
    advised = re.findall(
        r"([a-z]+)(?:\[binary\])?==([\d.]+)",
        "\n".join(re.findall(r"^#.*$", _text(ROOT / "requirements.txt"), re.M)),
    )
    assert {name for name, _ in advised} == {"psycopg", "uvloop", "maxminddb"}
    assert set(advised) <= set(_pinned("requirements-dev.txt").items())

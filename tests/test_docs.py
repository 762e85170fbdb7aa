"""What the documentation says is what the code does."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

import ctmonitor
from ctmonitor.cli import findings
from ctmonitor.model.batch import GapCause, Sighting
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.finding import Finding, Novelty, Recorded
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason, Verdict
from ctmonitor.monitor.tally import Tally
from ctmonitor.settings import SETTINGS, Setting
from scripts.docs import generated

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
COMMANDS = ROOT / "docs" / "commands.md"
OPERATIONS = ROOT / "docs" / "operations.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
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
        "deploy/*",
        "docs/*",
        "scripts/*.*",
    )
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


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


def test_every_sentence_that_the_manual_quotes_from_the_log_is_one_of_ours() -> None:
    """In the first column `...` stands for what differs from case to case."""
    code = "\n".join(_text(path) for path in sorted(ROOT.glob("ctmonitor/**/*.py")))
    # A string that goes on in the next line is one string.
    code = re.sub(r'"\s*\n\s*f?"', "", code)
    health = _text(OPERATIONS).split("\n## Health\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \|", health, re.M)
    quotes = [quote for row in rows for quote in re.findall(r"`([^`]+)`", row)]
    assert len(quotes) > 10
    for quote in quotes:
        for part in filter(None, map(str.strip, quote.split("..."))):
            assert part in code, f"docs/operations.md quotes {quote!r}"


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


def test_pinned_requirements_satisfy_the_bounds_of_pyproject() -> None:
    project = tomllib.loads(_text(ROOT / "pyproject.toml"))["project"]
    pinned = {
        name.lower(): tuple(map(int, version.split(".")))
        for name, version in re.findall(
            r"^([\w-]+)==([\d.]+)$", _text(ROOT / "requirements.txt"), re.M
        )
    }
    assert len(project["dependencies"]) > 5
    for bound in project["dependencies"]:
        name, least = bound.split(">=")
        assert pinned[name.lower()] >= tuple(map(int, least.split("."))), bound

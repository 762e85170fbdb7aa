"""
Writes what is made from the code: settings page, example file, pages of the commands.

    python -m scripts.docs            writes what differs
    python -m scripts.docs --check    writes nothing; 1 when something differs

In docs/commands.md the text between `<!-- help: NAME -->` and `<!-- /help -->` is made
from `NAME --help`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctmonitor.settings_page import example_conf, settings_page

_ROOT = Path(__file__).resolve().parent.parent
_COMMANDS_PAGE = Path("docs/commands.md")
_HELP = re.compile(r"(<!-- help: (\S+) -->\n).*?(<!-- /help -->)", re.DOTALL)


def main(arguments: Sequence[str]) -> int:
    """0 when all is as the code has it, or was written; 1, with --check, if not."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m scripts.docs [--check]", file=sys.stderr)
        return 2
    code = 0
    for path, text in generated():
        file = _ROOT / path
        if file.exists() and file.read_text("utf-8") == text:
            print(f"{path} is up to date")
        elif arguments:
            print(f"{path} is not what the code makes. Next step: make docs")
            code = 1
        else:
            file.write_text(text, "utf-8")
            print(f"{path} was written")
    return code


def generated() -> Iterator[tuple[Path, str]]:
    """Path, relative to the checkout, and text of each file that the code makes."""
    yield Path("conf/example.conf"), example_conf()
    yield Path("docs/settings.md"), settings_page()
    page = (_ROOT / _COMMANDS_PAGE).read_text("utf-8")
    yield _COMMANDS_PAGE, _HELP.sub(lambda m: m[1] + _help_page(m[2]) + m[3], page)


def help_text(program: str) -> str:
    """What `program --help` prints, on lines as long as it likes."""
    environment = {
        **os.environ,
        "COLUMNS": "1000",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        [sys.executable, program, "--help"],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        check=True,
        encoding="utf-8",
    ).stdout


def _help_page(program: str) -> str:
    usage, what, options, examples = help_text(program).strip().split("\n\n")
    rows = "".join(f"| `{option}` | {text} |\n" for option, text in _options(options))
    return (
        f"{what}\n\n```\n{_flat(usage)}\n```\n\n"
        f"| Option | Meaning |\n|---|---|\n{rows}\n"
        f"```\n{_without_indent(examples)}\n```\n"
    )


def _options(section: str) -> Iterator[tuple[str, str]]:
    """Spelling and meaning of each option of a help text."""
    for paragraph in re.split(r"\n  (?=-)", section)[1:]:
        spelling, _, text = paragraph.partition("  ")
        spelling = spelling.splitlines()[0]
        # Up to Python 3.12: `-c FILE, --config FILE`; later: `-c, --config FILE`.
        argument = spelling.rpartition(" ")[2]
        if not argument.startswith("-"):
            spelling = spelling.replace(f" {argument},", ",")
        yield spelling.replace("|", r"\|"), _flat(text).replace("|", r"\|")


def _flat(text: str) -> str:
    return " ".join(text.split())


def _without_indent(text: str) -> str:
    _title, *lines = text.splitlines()
    return "\n".join(line.removeprefix("  ") for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

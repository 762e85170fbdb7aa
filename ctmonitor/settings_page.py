"""The two texts that are made from the table of settings: example file and manual."""

import sys
from collections.abc import Iterator, Sequence

from ctmonitor.settings import SECTIONS, SETTINGS, Setting

_EXAMPLE_HEAD = """\
# Settings of ctmonitor. Made from the table in ctmonitor/settings.py; docs/settings.md
# explains each. A line that begins with # or ; is a comment, and a comment needs a line
# of its own. A setting that is commented out here has no value unless you give it one;
# in [WEIGHTS] it has the one shown.
# %% stands for %. ${NAME} is replaced by the environment variable NAME: the place for
# passwords.
"""

_PAGE_HEAD = """\
# Settings

This page is made from the table in `ctmonitor/settings.py` by
`python -m ctmonitor.settings page`; change it there. `conf/example.conf` holds every
key with its default. `certstreammonitor.py --check-config -c FILE` names every problem
of a file, or prints what is in force with secrets masked.

## The file

- An unchanged file of CertStreamMonitor works. Sections are spelled exactly as here;
  upper and lower case of keys does not matter.
- UTF-8, or UTF-16 with a byte order mark. Anything else is read as Latin-1, with a
  warning.
- `Key = value` or `Key: value`. A line that is indented deeper than its key goes on
  with the value above; in a regular expression the parts are joined with nothing
  between.
- A line that begins with `#` or `;` is a comment. Behind a value it is part of the
  value. So are quotes around a value.
- `%%` stands for `%`, and `%(Key)s` for the value of another key of the section. A `%`
  with anything else behind it stands for itself.
- `${NAME}` is then replaced by the environment variable `NAME`; a missing variable is
  an error. `$${NAME}` stands for `${NAME}` itself.
- A key without a value counts as absent: its default is in force.
- `gethost.py` and `check_rules.py` read no feed: they need neither `ACTServer` nor
  `Replay_File`.
- A section or key that stands twice is an error. Unknown ones are not used, with a
  warning that names the nearest known one.
- Passwords, keys, and user names and parameters within addresses are shown as
  `********`, and so are the path of `Heartbeat_URL`, that of an address that holds an
  environment variable, and a command that holds one.
"""


def example_conf() -> str:
    """`conf/example.conf`: every key with one line of help and its default."""
    lines = [_EXAMPLE_HEAD]
    for section, title in SECTIONS.items():
        lines.append(f"# {title}.\n[{section}]\n")
        for setting in _rows(section):
            lines.append(f"# {_help_line(setting)}")
            lines.extend(f"# {line}" for line in setting.note)
            value = (setting.example or setting.default).replace("%", "%%")
            line = f"{setting.key} = {value}".rstrip()
            lines.append(
                f"#{line}\n" if setting.is_measured or not value else f"{line}\n"
            )
    return "\n".join(lines)


def settings_page() -> str:
    """`docs/settings.md`: the rules of the file and a table for each section."""
    parts = [_PAGE_HEAD]
    for section, title in SECTIONS.items():
        rows = "\n".join(_table_row(setting) for setting in _rows(section))
        parts.append(
            f"## [{section}]\n\n{title}.\n\n"
            "| Key | What it does | Accepted | Default | Since |\n"
            "|---|---|---|---|---|\n"
            f"{rows}\n"
        )
    return "\n".join(parts)


def main(arguments: Sequence[str]) -> int:
    """Prints one of the texts; 0, or 2 when none of them was asked for."""
    texts = {"example": example_conf, "page": settings_page}
    if len(arguments) != 1 or arguments[0] not in texts:
        print("usage: python -m ctmonitor.settings example|page", file=sys.stderr)
        return 2
    sys.stdout.write(texts[arguments[0]]())
    return 0


def _rows(section: str) -> Iterator[Setting]:
    return (setting for setting in SETTINGS if setting.section == section)


def _help_line(setting: Setting) -> str:
    """Help, and in brackets what only the table knows: unit, range, choices."""
    details = ""
    if setting.choices or setting.minimum is not None:
        # "a whole number of days, 1 or more" -> "days, 1 or more"
        details = setting.accepted.removeprefix(setting.kind.value)
        details = details.removeprefix(" of ").removeprefix(", ")
    remarks = "; ".join(part for part in (details, setting.required) if part)
    return f"{setting.help} ({remarks})." if remarks else f"{setting.help}."


def _table_row(setting: Setting) -> str:
    if setting.default:
        default = f"`{setting.default.replace('%', '%%')}`"
    else:
        default = str(setting.required) or "none"
    accepted = setting.accepted
    if setting.choices:
        accepted += ", in upper or lower case"
    cells = (f"`{setting.key}`", setting.help, accepted, default, setting.since)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

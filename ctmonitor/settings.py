"""
The table of settings: one row makes the reader, `conf/example.conf` and the manual.

A new setting is a row here and a field of `ctmonitor.config.Config` with the row's
`attribute`. `python -m ctmonitor.settings example` prints the example file,
`python -m ctmonitor.settings page` prints docs/settings.md.
"""

import sys
from dataclasses import dataclass
from enum import Enum, StrEnum


class Kind(Enum):
    """What a value is; `accepted` says it in words."""

    TEXT = "text on one line"
    PATH = "a path on one line"
    REGEX = "a regular expression of Python"
    INTEGER = "a whole number"
    NUMBER = "a number"
    CHOICE = "one of a few words, in upper or lower case"
    LOG_LEVEL = "a number from 0 to 50, or DEBUG, INFO, WARNING, ERROR or CRITICAL"
    TABLE_NAME = (
        "1 to 63 letters (a to z), digits and underscores that begin neither with a "
        "digit nor with ctm_ or sqlite_"
    )
    HOST = "a host name or an IP address, without scheme and without port"
    FEEDS = (
        "ws:// or wss:// addresses, one or several, with white space or commas between"
    )
    PROXY = "http://host:port, socks5://host:port or socks5h://host:port"
    DATABASE = "postgresql://user:password@host/database or sqlite:///path"
    APPRISE = "an address of Apprise, such as mailto://user:password@host"


class Required(StrEnum):
    """When a setting must have a value."""

    NEVER = ""
    ALWAYS = "required"
    WITH_CERTSTREAM = "required unless Source is replay"
    WITH_REPLAY = "required when Source is replay"


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One row of the table.

    Args:
        section, key: as they are spelled in the file.
        attribute: field of `Config` that holds the value.
        default: as it would stand in a file, but with a plain `%`; empty for none.
        help: what it does, on one line, without a full stop.
        unit: of a number, in the plural.
        minimum, maximum: bounds of a number, both allowed; None for no bound.
        choices: of a CHOICE, in lower case.
        since: the version that brought it, or the program it comes from.
        secret: the value as a whole is never shown; passwords inside of addresses
            are hidden by their kind.
        example: value in the example file where that is not the default.
        note: further lines of comment in the example file.
    """

    section: str
    key: str
    attribute: str
    kind: Kind
    help: str
    default: str = ""
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    since: str = "0.1"
    secret: bool = False
    required: Required = Required.NEVER
    example: str = ""
    note: tuple[str, ...] = ()

    @property
    def holds_secret(self) -> bool:
        """Whether its value is a secret, or an address that may hold one."""
        return self.secret or self.kind in (Kind.FEEDS, Kind.PROXY, Kind.DATABASE)

    @property
    def accepted(self) -> str:
        """What the setting takes, as the end of `accepted is ...`."""
        if self.choices:
            return _either(self.choices)
        words = self.kind.value
        if self.unit:
            words += f" of {self.unit}"
        if self.minimum is not None and self.maximum is not None:
            words += f", {self.minimum} to {self.maximum}"
        elif self.minimum is not None:
            words += f", {self.minimum} or more"
        return words


def _either(words: tuple[str, ...]) -> str:
    return " or ".join((", ".join(words[:-1]), words[-1])) if words[1:] else words[0]


LOG_LEVELS = {
    "NOTSET": 0,
    "DEBUG": 10,
    "INFO": 20,
    "WARN": 30,
    "WARNING": 30,
    "ERROR": 40,
    "CRITICAL": 50,
    "FATAL": 50,
}

_OLD = "CertStreamMonitor"

# In the order of the example file: what everybody sets comes first.
SECTIONS = {
    "SEARCH": "Which host names are looked for",
    "SOURCES": "Where certificates come from, and how a feed is watched",
    "SERVER": "The certstream feed, and the way to it",
    "DATABASE": "Where findings are kept",
    "LOGGING": "What the program says of itself, and where",
    "REPORTING": "Alerts, and how long a host is followed",
    "CONNECT": "How hosts that were found are visited",
    "SAFEBROWSING": "Google Safe Browsing",
}

SETTINGS: tuple[Setting, ...] = (
    Setting(
        section="SEARCH",
        key="SearchKeywords",
        attribute="search_keywords",
        kind=Kind.REGEX,
        help="Keywords looked for in host names, without regard to case",
        since=_OLD,
        required=Required.ALWAYS,
        example="paypal|apple|account|secure|login",
    ),
    Setting(
        section="SEARCH",
        key="BlacklistKeywords",
        attribute="blacklist_keywords",
        kind=Kind.REGEX,
        help="A name in which this is found is never a finding; empty blocks nothing",
        since=_OLD,
    ),
    Setting(
        section="SEARCH",
        key="DetectionThreshold",
        attribute="detection_threshold",
        kind=Kind.INTEGER,
        help="Distinct keywords in one name that make a finding",
        default="1",
        minimum=1,
        since=_OLD,
        example="2",
    ),
    Setting(
        section="SOURCES",
        key="Source",
        attribute="source",
        kind=Kind.CHOICE,
        help="A live feed, or a recorded one from Replay_File",
        default="certstream",
        choices=("certstream", "replay"),
    ),
    Setting(
        section="SOURCES",
        key="Replay_File",
        attribute="replay_file",
        kind=Kind.PATH,
        help="Recorded feed, one JSON message a line, plain or .gz",
        required=Required.WITH_REPLAY,
    ),
    Setting(
        section="SOURCES",
        key="Stall_Seconds",
        attribute="stall_seconds",
        kind=Kind.NUMBER,
        help="A connected feed that sends nothing for so long is connected anew",
        default="60",
        unit="seconds",
        minimum=1,
        maximum=3600,
    ),
    Setting(
        section="SOURCES",
        key="Stale_Minutes",
        attribute="stale_minutes",
        kind=Kind.NUMBER,
        help="Warn when the newest message of a feed is older than this; 0 is never",
        default="15",
        unit="minutes",
        minimum=0,
        maximum=525_600,  # a year; a feed older than that is a recording
    ),
    Setting(
        section="SOURCES",
        key="Queue_Messages",
        attribute="queue_messages",
        kind=Kind.INTEGER,
        help="Messages that may wait to be judged; what comes on top is a gap",
        default="5000",
        unit="messages",
        minimum=1,
        maximum=1_000_000,
    ),
    Setting(
        section="SOURCES",
        key="Max_Message_MB",
        attribute="max_message_mb",
        kind=Kind.INTEGER,
        help="A larger message of a feed ends the connection, which is made anew",
        default="16",
        unit="megabytes",
        minimum=1,
        maximum=1024,
    ),
    Setting(
        section="SOURCES",
        key="Retry_First_Seconds",
        attribute="retry_first_seconds",
        kind=Kind.NUMBER,
        help="While a later ACTServer serves, how often the first one is tried again",
        default="60",
        unit="seconds",
        minimum=1,
        maximum=86_400,
    ),
    Setting(
        section="SOURCES",
        key="Max_Retry_Seconds",
        attribute="max_retry_seconds",
        kind=Kind.NUMBER,
        help="Longest pause between two attempts to connect; pauses grow up to it",
        default="60",
        unit="seconds",
        minimum=1,
        maximum=3600,
    ),
    Setting(
        section="SERVER",
        key="ACTServer",
        attribute="act_servers",
        kind=Kind.FEEDS,
        help="Address of the certstream feed; of several, the first that works is used",
        since=_OLD,
        required=Required.WITH_CERTSTREAM,
        example="ws://127.0.0.1:8080/",
        note=(
            "No public feed can be depended on, so run a server of your own:",
            "https://github.com/d-Rickyy-b/certstream-server-go (also in Debian 13).",
            "Copy its config.sample.yaml to config.yml, switch kafka and recovery off",
            "there, and start: certstream-server-go -config config.yml",
        ),
    ),
    Setting(
        section="SERVER",
        key="Proxy_Host",
        attribute="proxy_host",
        kind=Kind.HOST,
        help="Proxy in front of the feed; needs Proxy_Port",
        since=_OLD,
    ),
    Setting(
        section="SERVER",
        key="Proxy_Port",
        attribute="proxy_port",
        kind=Kind.INTEGER,
        help="Port of that proxy",
        minimum=1,
        maximum=65_535,
        since=_OLD,
    ),
    Setting(
        section="SERVER",
        key="Proxy_Username",
        attribute="proxy_username",
        kind=Kind.TEXT,
        help="User name at that proxy",
        since=_OLD,
    ),
    Setting(
        section="SERVER",
        key="Proxy_Password",
        attribute="proxy_password",
        kind=Kind.TEXT,
        help="Password at that proxy",
        since=_OLD,
        secret=True,
    ),
    Setting(
        section="SERVER",
        key="Proxy_Type",
        attribute="proxy_type",
        kind=Kind.CHOICE,
        help="What that proxy speaks; with socks5h it resolves host names itself",
        default="http",
        choices=("http", "socks5", "socks5h"),
    ),
    Setting(
        section="SERVER",
        key="CA_File",
        attribute="ca_file",
        kind=Kind.PATH,
        help="PEM file of the authorities trusted for wss://; empty is the system's",
    ),
    Setting(
        section="DATABASE",
        key="DBFile",
        attribute="db_file",
        kind=Kind.PATH,
        help="SQLite database; one made by CertStreamMonitor is used as it is",
        default="./db/CertStreamMonitor.sqlite3",
        since=_OLD,
    ),
    Setting(
        section="DATABASE",
        key="TABLEname",
        attribute="table_name",
        kind=Kind.TABLE_NAME,
        help="Table of the hosts that were found",
        default="CertMon",
        since=_OLD,
    ),
    Setting(
        section="DATABASE",
        key="URL",
        attribute="database_url",
        kind=Kind.DATABASE,
        help="Address of a database that is used instead of DBFile",
    ),
    Setting(
        section="LOGGING",
        key="LogFile",
        attribute="log_file",
        kind=Kind.PATH,
        help="Log file, rotated at 10 MB, ten are kept; empty is no file",
        since=_OLD,
    ),
    Setting(
        section="LOGGING",
        key="LogLevel",
        attribute="log_level",
        kind=Kind.LOG_LEVEL,
        help="What is less important than this is not logged",
        default="INFO",
        since=_OLD,
    ),
    Setting(
        section="LOGGING",
        key="LogType",
        attribute="log_type",
        kind=Kind.CHOICE,
        help="Where log lines go",
        default="file",
        choices=("file", "syslog", "stderr"),
        since=_OLD,
    ),
    Setting(
        section="REPORTING",
        key="Alerts_dir",
        attribute="alerts_dir",
        kind=Kind.PATH,
        help="Directory of the JSON alerts; %%Y %%m %%d %%H %%M stand for the time",
        default="./alerts/%Y/%m/%d",
        since=_OLD,
    ),
    Setting(
        section="REPORTING",
        key="Alert_Monitor_timelapse",
        attribute="alert_monitor_timelapse",
        kind=Kind.INTEGER,
        help="How long a host is followed after it was first seen",
        default="180",
        unit="days",
        minimum=1,
        maximum=365_000,  # a thousand years back is still a date that Python knows
        since=_OLD,
    ),
    Setting(
        section="REPORTING",
        key="Notification_Destination",
        attribute="notification_destination",
        kind=Kind.APPRISE,
        help="Where notifications are sent; see the list of services of Apprise",
        since=_OLD,
        secret=True,
    ),
    Setting(
        section="CONNECT",
        key="Proxy",
        attribute="connect_proxy",
        kind=Kind.PROXY,
        help="Proxy for visits; user:password@ may stand before the host",
        since=_OLD,
    ),
    Setting(
        section="CONNECT",
        key="http_UA",
        attribute="http_ua",
        kind=Kind.TEXT,
        help="User-Agent shown to visited hosts",
        since=_OLD,
    ),
    Setting(
        section="CONNECT",
        key="UAfile",
        attribute="ua_file",
        kind=Kind.PATH,
        help="File of User-Agents, one a line, to choose from for visits",
        since=_OLD,
    ),
    Setting(
        section="SAFEBROWSING",
        key="Safe_Browsing_API_Key",
        attribute="safe_browsing_api_key",
        kind=Kind.TEXT,
        help="Key for the Safe Browsing API; without one hosts are not looked up there",
        since=_OLD,
        secret=True,
    ),
)

BY_KEY = {setting.key.lower(): setting for setting in SETTINGS}  # in lower case


if __name__ == "__main__":
    # The texts are made from the table, so their module imports this one.
    from ctmonitor.settings_page import main

    sys.exit(main(sys.argv[1:]))

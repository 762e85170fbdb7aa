"""
The table of settings: one row makes the reader, `conf/example.conf` and the manual.

A new setting is a row here and a field of `ctmonitor.config.Config` with the row's
`attribute`. `python -m ctmonitor.settings example` prints the example file,
`python -m ctmonitor.settings page` prints docs/settings.md.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from ctmonitor.model.own import AlertType
from ctmonitor.rules.weights import WEIGHTS


class Kind(Enum):
    """What a value is; `accepted` says it in words."""

    TEXT = "text on one line"
    PATH = "a path on one line"
    REGEX = "a regular expression of Python"
    INTEGER = "a whole number"
    NUMBER = "a number"
    BOOLEAN = "yes or no (or true, false, on, off, 1, 0), in upper or lower case"
    CHOICE = "one of a few words, in upper or lower case"
    WORDS = "one or several of a few words, in upper or lower case"
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
    SERVICE = "an address of Apprise, such as mailto://user:password@host"
    SERVICES = (
        "addresses of Apprise, such as mailto://user:password@host, one or several, "
        "with white space or commas between; tags may stand before each, as "
        "tag,tag=mailto://user:password@host"
    )
    ROUTES = "kinds of messages with tags, as kind=tag,tag, with white space between"
    URL = "an http:// or https:// address"
    PATH_OR_URL = "a path on one line, or an http:// or https:// address"
    CONTACT = "an e-mail address, or a web address with its scheme"
    PORTS = "ports from 1 to 65535, with white space or commas between"
    NETWORKS = (
        "networks such as 10.0.0.0/8 or fd00::/8, with white space or commas between"
    )
    RESOLVERS = (
        "addresses of name servers, as address, address:port or [IPv6]:port, with "
        "white space or commas between"
    )
    COMMAND = "a program and its arguments; quotes keep words together"
    LOGS = (
        "names of logs, or parts of them, operator:NAME or state:NAME, one or several, "
        "with commas or line breaks between"
    )
    START = "tip, beginning, a number of entries back, or a date such as 2026-11-01"
    DOMAINS = (
        "domains such as example.com, one or several, with white space or commas "
        "between; a public suffix such as co.uk is none"
    )
    NAMES = (
        "names, one or several, with commas, semicolons or line breaks between; quotes "
        "keep one with a comma in it together"
    )
    KEYS = (
        "SHA-256 of public keys (SubjectPublicKeyInfo) in hex or base64, with white "
        "space or commas between"
    )
    DAYS = "numbers of days from 1 to 365, with white space or commas between"
    STATE = "a directory, or s3://bucket/prefix"
    MAILBOXES = "e-mail addresses, with white space or commas between"


_MAY_HOLD_PASSWORD = (
    Kind.FEEDS,
    Kind.PROXY,
    Kind.DATABASE,
    Kind.SERVICE,
    Kind.SERVICES,
    Kind.URL,
    Kind.PATH_OR_URL,
)


class Required(StrEnum):
    """When a setting must have a value."""

    NEVER = ""
    WITH_CERTSTREAM = "required unless Source is logs or replay"
    WITH_REPLAY = "required when Source is replay"
    WITHOUT_OTHER_RULES = (
        "required unless RegexFile, BrandFile or [OWN] Domains is given"
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One row of the table.

    Args:
        section, key: as they are spelled in the file.
        attribute: field of `Config` that holds the value; for those of one section
            that are kept together, the field and the key in it (`weights.WholeWord`).
        default: as it would stand in a file, but with a plain `%`; empty for none.
        help: what it does, on one line, without a full stop.
        unit: of a number, in the plural.
        minimum, maximum: bounds of a number, both allowed; None for no bound.
        choices: of a CHOICE or of WORDS, and the kinds of ROUTES, in lower case.
        since: the version that brought it, or the program it comes from.
        secret: the value as a whole is never shown; passwords inside of addresses
            are hidden by their kind.
        secret_path: of a URL, all behind the host is never shown.
        example: value in the example file where that is not the default.
        note: further lines of comment in the example file.
        is_measured: the default is a measurement, which a later version may repeat: in
            the example file it is commented out.
    """

    section: str
    key: str
    attribute: str
    kind: Kind
    help: str
    default: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    since: str = "0.1"
    secret: bool = False
    secret_path: bool = False
    required: Required = Required.NEVER
    example: str = ""
    note: tuple[str, ...] = ()
    is_measured: bool = False

    @property
    def holds_secret(self) -> bool:
        """Whether its value is a secret, or an address that may hold one."""
        return self.secret or self.kind in _MAY_HOLD_PASSWORD

    @property
    def accepted(self) -> str:
        """What the setting takes, as the end of `accepted is ...`."""
        if self.kind is Kind.WORDS:
            choices = ", ".join(self.choices)
            return f"one or several of {choices}, with white space or commas between"
        if self.kind is Kind.ROUTES:
            return f"{self.kind.value}; kinds are {', '.join(self.choices)}"
        if self.choices:
            return either(self.choices)
        words: str = self.kind.value
        if self.unit:
            words += f" of {self.unit}"
        if self.minimum is not None and self.maximum is not None:
            words += f", {self.minimum} to {self.maximum}"
        elif self.minimum is not None:
            words += f", {self.minimum} or more"
        return words


def either(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`; of one word or more."""
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
    "WEIGHTS": "What the parts of a look-alike's score count, against AlertScore",
    "SOURCES": "Where certificates come from, and how a feed is watched",
    "SERVER": "The certstream feed, and the way to it",
    "DATABASE": "Where findings are kept",
    "LOGGING": "What the program says of itself, and where",
    "REPORTING": "Alerts, whom they reach, and how long a host is followed",
    "CONNECT": "The way to hosts that were found, and what they see of us",
    "SCAN": "How hosts that were found are visited, and how often",
    "ENRICH": "What is looked up of sites that are up",
    "SAFEBROWSING": "Google Safe Browsing",
    "OWN": "Domains of your own: whose certificates are watched, and what is wrong",
}

_WEIGHTS = tuple(
    Setting(
        section="WEIGHTS",
        key=weight.key,
        attribute=f"weights.{weight.key}",
        kind=Kind.NUMBER,
        help=weight.help,
        default=f"{weight.default:g}",
        unit="points",
        minimum=-1000,
        maximum=1000,
        is_measured=True,
    )
    for weight in WEIGHTS
)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        section="SEARCH",
        key="SearchKeywords",
        attribute="search_keywords",
        kind=Kind.REGEX,
        help="Keywords looked for in host names, without regard to case",
        since=_OLD,
        required=Required.WITHOUT_OTHER_RULES,
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
        section="SEARCH",
        key="RegexFile",
        attribute="regex_file",
        kind=Kind.PATH,
        help="Regular expressions, one a line, each of which makes a finding by itself",
        note=("docs/rules.md shows the forms of this file and of those below.",),
    ),
    Setting(
        section="SEARCH",
        key="AllowFile",
        attribute="allow_file",
        kind=Kind.PATH,
        help="Domains, hosts and expressions that are never a finding",
        note=("It is read again when it changes, as the other files of rules are.",),
    ),
    Setting(
        section="SEARCH",
        key="BrandFile",
        attribute="brand_file",
        kind=Kind.PATH,
        help="Brands, in JSON or INI, whose look-alikes are findings",
        example="conf/brands.json",
    ),
    Setting(
        section="SEARCH",
        key="PopularFile",
        attribute="popular_file",
        kind=Kind.PATH,
        help="A list of popular domains, which are never look-alikes",
        note=("Tranco, Umbrella or one domain a line; .gz is read, too.",),
    ),
    Setting(
        section="SEARCH",
        key="PopularRanks",
        attribute="popular_ranks",
        kind=Kind.INTEGER,
        help="How many lines of PopularFile count, from the top",
        default="100000",
        unit="domains",
        minimum=1,
        maximum=10_000_000,
    ),
    Setting(
        section="SEARCH",
        key="AlertScore",
        attribute="alert_score",
        kind=Kind.INTEGER,
        help="Score from which on a look-alike is a finding",
        default="100",
        minimum=1,
        maximum=100_000,
        note=(
            "docs/quality.md shows what other values find. The parts of the score are",
            "in [WEIGHTS].",
        ),
    ),
    *_WEIGHTS,
    Setting(
        section="SOURCES",
        key="Source",
        attribute="source",
        kind=Kind.WORDS,
        help="A feed (certstream), the logs themselves, both, or Replay_File",
        choices=("certstream", "logs", "replay"),
        note=(
            "Empty: the feed, and the logs while no ACTServer has been reached for",
            "Failover_Minutes.",
        ),
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
        section="SOURCES",
        key="Failover_Minutes",
        attribute="failover_minutes",
        kind=Kind.NUMBER,
        help="Without Source, when the logs are read as every feed failed; 0 is never",
        default="10",
        unit="minutes",
        minimum=0,
        maximum=10_080,
    ),
    Setting(
        section="SOURCES",
        key="Log_List",
        attribute="log_list",
        kind=Kind.PATH_OR_URL,
        help="Which logs there are: a list of schema v3, from the web or a file",
        default="https://www.gstatic.com/ct/log_list/v3/log_list.json",
    ),
    Setting(
        section="SOURCES",
        key="Log_List_Key",
        attribute="log_list_key",
        kind=Kind.PATH,
        help="PEM file with the key that signs Log_List",
        note=("Empty: the built-in key for the built-in address, else none.",),
    ),
    Setting(
        section="SOURCES",
        key="Cache_dir",
        attribute="cache_dir",
        kind=Kind.PATH,
        help="Where the last good log list is kept; empty keeps none",
        default="cache",
    ),
    Setting(
        section="SOURCES",
        key="Logs",
        attribute="logs",
        kind=Kind.LOGS,
        help="Only these logs are read; empty for all that accept certificates",
    ),
    Setting(
        section="SOURCES",
        key="Exclude_Logs",
        attribute="exclude_logs",
        kind=Kind.LOGS,
        help="These logs are not read",
    ),
    Setting(
        section="SOURCES",
        key="Start",
        attribute="start",
        kind=Kind.START,
        help="Where a log begins that was never read",
        default="tip",
    ),
    Setting(
        section="SOURCES",
        key="Poll_Seconds",
        attribute="poll_seconds",
        kind=Kind.NUMBER,
        help="How often a log is asked for its head",
        default="15",
        unit="seconds",
        minimum=1,
        maximum=3600,
    ),
    Setting(
        section="SOURCES",
        key="Max_Requests",
        attribute="max_requests",
        kind=Kind.INTEGER,
        help="Most requests to one log at the same time; it may bear fewer",
        default="8",
        unit="requests",
        minimum=1,
        maximum=64,
    ),
    Setting(
        section="SOURCES",
        key="Max_Requests_Operator",
        attribute="max_requests_operator",
        kind=Kind.INTEGER,
        help="Most requests to all logs of one operator at the same time",
        default="24",
        unit="requests",
        minimum=1,
        maximum=512,
    ),
    Setting(
        section="SOURCES",
        key="Verify",
        attribute="verify",
        kind=Kind.BOOLEAN,
        help="Believe an entry when it is proven to lie under a signed head",
        default="yes",
        note=("no: entries are taken as served, and a log can tell us anything.",),
    ),
    Setting(
        section="SOURCES",
        key="Evidence_dir",
        attribute="evidence_dir",
        kind=Kind.PATH,
        help="What a log served that contradicts its heads; empty keeps nothing",
        default="evidence",
    ),
    Setting(
        section="SOURCES",
        key="Contact",
        attribute="contact",
        kind=Kind.CONTACT,
        help="How logs and APIs that are asked can reach you; part of our User-Agent",
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
        help="PEM file of the only authorities trusted for wss://; empty: the system's",
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
        section="DATABASE",
        key="Keep_Days",
        attribute="keep_days",
        kind=Kind.INTEGER,
        help="How long sent alerts, visits to hosts no longer followed, records of "
        "malformed entries, and sightings of own domains that nobody took up are kept; "
        "0 is for ever",
        default="365",
        unit="days",
        minimum=0,
        maximum=36500,
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
        key="Export_File",
        attribute="export_file",
        kind=Kind.PATH,
        help="File of all names in the database, written when a run of the daemon ends",
        note=("One a line, sorted. gethost.py --export writes one at any time.",),
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
        kind=Kind.SERVICES,
        help="Where notifications are sent; see the list of services of Apprise",
        note=(
            "For example: mailto://user:${PASSWORD}@mail.example, slack://a/b/c",
            "With tags for Notify_Tags: soc=slack://a/b/c triage,soc=ntfy://x/y",
        ),
        since=_OLD,
        secret=True,
    ),
    Setting(
        section="REPORTING",
        key="Fallback_Destination",
        attribute="fallback_destination",
        kind=Kind.SERVICE,
        help="Where a notification is sent when Notification_Destination fails",
        secret=True,
    ),
    Setting(
        section="REPORTING",
        key="Notify_On",
        attribute="notify_on",
        kind=Kind.CHOICE,
        help="Notified of: sites that are up, hosts found (by scanhost.py), or both",
        default="up",
        choices=("up", "found", "both"),
        note=(
            "What the daemon finds waits in the database until scanhost.py tells it,",
            "in each run or with --flush. Files and the hook are for sites alone.",
        ),
    ),
    Setting(
        section="REPORTING",
        key="Notify_Tags",
        attribute="notify_tags",
        kind=Kind.ROUTES,
        help="Kinds of messages that go to destinations with one of these tags alone",
        choices=("found", "up", "down", "back", "changed", "own"),
        note=(
            "For example: found=triage up=soc,management own=platform",
            "A kind not named goes to all; an address without tags gets every kind.",
        ),
    ),
    Setting(
        section="REPORTING",
        key="Alert_On",
        attribute="alert_on",
        kind=Kind.WORDS,
        help="What makes an alert beside the first time that a site is up",
        choices=("down", "back", "changed"),
    ),
    Setting(
        section="REPORTING",
        key="Digest_Per_Minute",
        attribute="digest_per_minute",
        kind=Kind.INTEGER,
        help="To one destination; what comes on top is told in one digest",
        default="20",
        unit="messages a minute",
        minimum=1,
        maximum=1000,
    ),
    Setting(
        section="REPORTING",
        key="Tries",
        attribute="alert_tries",
        kind=Kind.INTEGER,
        help="Attempts to deliver an alert on one channel before it is given up there",
        default="8",
        unit="attempts",
        minimum=1,
        maximum=100,
    ),
    Setting(
        section="REPORTING",
        key="Hook",
        attribute="hook",
        kind=Kind.COMMAND,
        help="Program started for each alert, which it gets as JSON on standard input",
        note=("For example: /usr/local/bin/open-ticket --queue 'Brand abuse'",),
    ),
    Setting(
        section="REPORTING",
        key="Hook_Timeout",
        attribute="hook_timeout",
        kind=Kind.NUMBER,
        help="A Hook that runs longer than this is ended and counts as failed",
        default="30",
        unit="seconds",
        minimum=0.1,
        maximum=3600,
    ),
    Setting(
        section="REPORTING",
        key="Heartbeat_URL",
        attribute="heartbeat_url",
        kind=Kind.URL,
        help="Address that is fetched when a run succeeds, for a dead man's switch",
        secret_path=True,
    ),
    Setting(
        section="CONNECT",
        key="Proxy",
        attribute="connect_proxy",
        kind=Kind.PROXY,
        help="Proxy for visits, look-ups and notifications; may hold user:password@",
        since=_OLD,
    ),
    Setting(
        section="CONNECT",
        key="http_UA",
        attribute="http_ua",
        kind=Kind.TEXT,
        help="User-Agent shown to visited sites when UAfile gives none",
        since=_OLD,
    ),
    Setting(
        section="CONNECT",
        key="UAfile",
        attribute="ua_file",
        kind=Kind.PATH,
        help="File of User-Agents, one a line; each visit takes one of them at random",
        since=_OLD,
    ),
    Setting(
        section="SCAN",
        key="Resolver",
        attribute="scan_resolvers",
        kind=Kind.RESOLVERS,
        help="Name servers that are asked, in this order; empty is the system's",
        note=("For example: 127.0.0.1:5353 192.0.2.53",),
    ),
    Setting(
        section="SCAN",
        key="Allow_Private",
        attribute="scan_allow_private",
        kind=Kind.NETWORKS,
        help="Networks that may be visited although they are private or reserved",
        note=("For example: 192.168.10.0/24 fd00:10::/32",),
    ),
    Setting(
        section="SCAN",
        key="Concurrency",
        attribute="scan_concurrency",
        kind=Kind.INTEGER,
        help="Hosts that are visited at the same time",
        default="1000",
        unit="hosts",
        minimum=1,
        maximum=10_000,
    ),
    Setting(
        section="SCAN",
        key="Host_Timeout",
        attribute="scan_host_timeout",
        kind=Kind.NUMBER,
        help="For the whole visit of a host, with DNS, redirects and icon",
        default="15",
        unit="seconds",
        minimum=0.1,
        maximum=600,
    ),
    Setting(
        section="SCAN",
        key="Connect_Timeout",
        attribute="scan_connect_timeout",
        kind=Kind.NUMBER,
        help="For one connection to be made",
        default="5",
        unit="seconds",
        minimum=0.1,
        maximum=600,
    ),
    Setting(
        section="SCAN",
        key="Run_Timeout",
        attribute="scan_run_timeout",
        kind=Kind.NUMBER,
        help="A run of scanhost.py that takes longer ends in order; 0 is no limit",
        default="0",
        unit="seconds",
        minimum=0,
        maximum=604_800,
    ),
    Setting(
        section="SCAN",
        key="CA_File",
        attribute="scan_ca_file",
        kind=Kind.PATH,
        help="PEM file of authorities trusted beside the system's: for sites and APIs",
    ),
    Setting(
        section="SCAN",
        key="Body_Bytes",
        attribute="scan_body_bytes",
        kind=Kind.INTEGER,
        help="What is read of a page, decompressed",
        default="524288",
        unit="bytes",
        minimum=1024,
        maximum=16_777_216,
    ),
    Setting(
        section="SCAN",
        key="Https_Ports",
        attribute="scan_https_ports",
        kind=Kind.PORTS,
        help="Ports on which https is tried, in this order",
        default="443",
    ),
    Setting(
        section="SCAN",
        key="Http_Ports",
        attribute="scan_http_ports",
        kind=Kind.PORTS,
        help="Ports on which http is tried when https gives nothing, in this order",
        default="80",
    ),
    Setting(
        section="SCAN",
        key="Favicon",
        attribute="scan_favicon",
        kind=Kind.BOOLEAN,
        help="Whether the icon of a page is fetched and hashed, as Shodan does",
        default="yes",
    ),
    Setting(
        section="SCAN",
        key="Revisit_Hours",
        attribute="scan_revisit_hours",
        kind=Kind.NUMBER,
        help="Distance between visits of a host that came up; 0 is no more visits",
        default="24",
        unit="hours",
        minimum=0,
        maximum=8760,
    ),
    Setting(
        section="SCAN",
        key="First_Minutes",
        attribute="scan_first_minutes",
        kind=Kind.NUMBER,
        help="Shortest distance between two visits; it grows with the age of the host",
        default="10",
        unit="minutes",
        minimum=1,
        maximum=1440,
    ),
    Setting(
        section="SCAN",
        key="Longest_Hours",
        attribute="scan_longest_hours",
        kind=Kind.NUMBER,
        help="Longest distance between two visits of a host that never came up",
        default="24",
        unit="hours",
        minimum=1,
        maximum=8760,
    ),
    Setting(
        section="ENRICH",
        key="ASN",
        attribute="enrich_asn",
        kind=Kind.BOOLEAN,
        help="Whether network, AS, country and abuse contact are looked up",
        default="yes",
    ),
    Setting(
        section="ENRICH",
        key="MMDB_File",
        attribute="enrich_mmdb_file",
        kind=Kind.PATH,
        help="MaxMind DB file with AS numbers, which is asked first",
    ),
    Setting(
        section="ENRICH",
        key="RDAP_IP_URL",
        attribute="enrich_rdap_ip_url",
        kind=Kind.URL,
        help="RDAP server for addresses, without ip/; empty is the registries' own",
    ),
    Setting(
        section="ENRICH",
        key="Domain",
        attribute="enrich_domain",
        kind=Kind.BOOLEAN,
        help="Whether the registration of a domain and its registrar are looked up",
        default="yes",
    ),
    Setting(
        section="ENRICH",
        key="RDAP_Bootstrap",
        attribute="enrich_rdap_bootstrap",
        kind=Kind.PATH_OR_URL,
        help="List of the RDAP servers of top-level domains, as IANA publishes it",
        default="https://data.iana.org/rdap/dns.json",
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
    Setting(
        section="SAFEBROWSING",
        key="API_URL",
        attribute="safe_browsing_api_url",
        kind=Kind.URL,
        help="Address of version 4 of the API; /v4/threatMatches:find may follow it",
        default="https://safebrowsing.googleapis.com",
    ),
    Setting(
        section="SAFEBROWSING",
        key="Daily_Budget",
        attribute="safe_browsing_daily_budget",
        kind=Kind.INTEGER,
        help="Most look-ups of a day, each of up to 500 addresses; 0 looks nothing up",
        default="10000",
        unit="look-ups",
        minimum=0,
        maximum=10_000_000,
    ),
    Setting(
        section="OWN",
        key="Domains",
        attribute="own_domains",
        kind=Kind.DOMAINS,
        help="Domains of yours; every certificate for them and below them is watched",
        example="example.com example.org",
        note=("watchdomains.py asks for them; the daemon notes what it sees of them.",),
    ),
    Setting(
        section="OWN",
        key="Source",
        attribute="own_source",
        kind=Kind.WORDS,
        help="Who is asked; logs: what the daemon has noted",
        default="crtsh",
        choices=("crtsh", "certspotter", "logs"),
        note=("When crt.sh does not answer, Cert Spotter is asked in its place.",),
    ),
    Setting(
        section="OWN",
        key="Crtsh_URL",
        attribute="own_crtsh_url",
        kind=Kind.URL,
        help="Address of crt.sh",
        default="https://crt.sh",
    ),
    Setting(
        section="OWN",
        key="Crtsh_Pause",
        attribute="own_crtsh_pause",
        kind=Kind.NUMBER,
        help="Pause between two questions to crt.sh",
        default="12",
        unit="seconds",
        minimum=0,
        maximum=3600,
    ),
    Setting(
        section="OWN",
        key="Certspotter_URL",
        attribute="own_certspotter_url",
        kind=Kind.URL,
        help="Address of Cert Spotter's API, without /v1/issuances",
        default="https://api.certspotter.com",
    ),
    Setting(
        section="OWN",
        key="Certspotter_Key",
        attribute="own_certspotter_key",
        kind=Kind.TEXT,
        help="Key for that API; without one it answers few questions",
        secret=True,
        note=("${OWN_CERTSPOTTER_KEY} takes it from the environment.",),
    ),
    Setting(
        section="OWN",
        key="Certspotter_Hourly",
        attribute="own_certspotter_hourly",
        kind=Kind.INTEGER,
        help="Most questions to Cert Spotter in an hour, of all runs; 0 is no limit",
        default="10",
        unit="questions",
        minimum=0,
        maximum=1_000_000,
    ),
    Setting(
        section="OWN",
        key="Retry_Seconds",
        attribute="own_retry_seconds",
        kind=Kind.NUMBER,
        help="Pause after a first failure to get an answer; it doubles, up to 16 times",
        default="5",
        unit="seconds",
        minimum=0,
        maximum=3600,
    ),
    Setting(
        section="OWN",
        key="Tries",
        attribute="own_tries",
        kind=Kind.INTEGER,
        help="How often a question is asked until another one is tried",
        default="5",
        unit="times",
        minimum=1,
        maximum=100,
    ),
    Setting(
        section="OWN",
        key="Max_Answer_MB",
        attribute="own_max_answer_mb",
        kind=Kind.INTEGER,
        help="Longest answer that is read",
        default="64",
        unit="MB",
        minimum=1,
        maximum=1024,
    ),
    Setting(
        section="OWN",
        key="Authorised_CAs",
        attribute="own_authorised_cas",
        kind=Kind.NAMES,
        help="CAs that may issue for you: organisations as certificates name them, or "
        "crt.sh CA ids; example.com: before one makes it count for that domain alone",
        example="Let's Encrypt, DigiCert Inc, example.org: Sectigo Limited",
        note=("Empty: no CA is held to be unauthorised.",),
    ),
    Setting(
        section="OWN",
        key="Own_Keys",
        attribute="own_keys",
        kind=Kind.KEYS,
        help="Public keys of yours; a certificate for another one is told",
    ),
    Setting(
        section="OWN",
        key="Short_Lived_Hours",
        attribute="own_short_lived_hours",
        kind=Kind.NUMBER,
        help="A certificate with a shorter lifetime is told; 0 is none",
        default="24",
        unit="hours",
        minimum=0,
        maximum=87600,
    ),
    Setting(
        section="OWN",
        key="Normal_Issuers",
        attribute="own_normal_issuers",
        kind=Kind.NAMES,
        help="Organisations whose short-lived certificates are yours",
    ),
    Setting(
        section="OWN",
        key="Expiry_Days",
        attribute="own_expiry_days",
        kind=Kind.DAYS,
        help="Days before its end at which a certificate without successor is told",
        default="30 14 7",
    ),
    Setting(
        section="OWN",
        key="Quiet",
        attribute="own_quiet",
        kind=Kind.WORDS,
        help="Types of alerts that are not told, only listed in the report",
        choices=tuple(AlertType),
    ),
    Setting(
        section="OWN",
        key="Webhook",
        attribute="own_webhook",
        kind=Kind.URL,
        help="Address to which each message is sent",
        secret_path=True,
    ),
    Setting(
        section="OWN",
        key="Webhook_Format",
        attribute="own_webhook_format",
        kind=Kind.CHOICE,
        help="Form of those messages; empty goes by the address",
        choices=("json", "slack", "teams"),
    ),
    Setting(
        section="OWN",
        key="Smtp_Host",
        attribute="own_smtp_host",
        kind=Kind.HOST,
        help="Mail server, for messages by mail",
    ),
    Setting(
        section="OWN",
        key="Smtp_Port",
        attribute="own_smtp_port",
        kind=Kind.INTEGER,
        help="Port of the mail server: 587 with STARTTLS, 465 with TLS from the start",
        default="587",
        minimum=1,
        maximum=65535,
    ),
    Setting(
        section="OWN",
        key="Smtp_User",
        attribute="own_smtp_user",
        kind=Kind.TEXT,
        help="Name for the mail server's login; there is none without TLS",
    ),
    Setting(
        section="OWN",
        key="Smtp_Pass",
        attribute="own_smtp_pass",
        kind=Kind.TEXT,
        help="Password for the mail server's login",
        secret=True,
        note=("${SMTP_PASS} takes it from the environment.",),
    ),
    Setting(
        section="OWN",
        key="Email_From",
        attribute="own_email_from",
        kind=Kind.MAILBOXES,
        help="Sender of mails",
    ),
    Setting(
        section="OWN",
        key="Email_To",
        attribute="own_email_to",
        kind=Kind.MAILBOXES,
        help="Who gets mails",
    ),
    Setting(
        section="OWN",
        key="Digest_From",
        attribute="own_digest_from",
        kind=Kind.INTEGER,
        help="From so many messages of a run on, one that names all is sent instead",
        default="20",
        unit="messages",
        minimum=2,
        maximum=100_000,
    ),
    Setting(
        section="OWN",
        key="State",
        attribute="own_state",
        kind=Kind.STATE,
        help="Where watched domains are remembered; empty is the database",
    ),
    Setting(
        section="OWN",
        key="State_Endpoint",
        attribute="own_state_endpoint",
        kind=Kind.URL,
        help="Address of an S3 service that is not Amazon's",
    ),
)


def _by_key() -> dict[str, tuple[Setting, ...]]:
    found: dict[str, tuple[Setting, ...]] = {}
    for setting in SETTINGS:
        key = setting.key.lower()
        found[key] = (*found.get(key, ()), setting)
    return found


# By key in lower case: one key may stand in several sections.
BY_KEY = _by_key()


if __name__ == "__main__":
    # The texts are made from the table, so their module imports this one.
    from ctmonitor.settings_page import main

    sys.exit(main(sys.argv[1:]))

"""The rules that check_rules.py tries: those of [SEARCH] and of its files."""

from ctmonitor.cli import assemble, console
from ctmonitor.config import Config
from ctmonitor.rules.ruleset import RuleSet


def ruleset(config: Config) -> RuleSet:
    """
    The rules of a file of settings, with the oddities of theirs told.

    Raises:
        ConfigError: a file of rules cannot be used.
    """
    files = assemble.rule_files(config).read()
    for warning in files.warnings:
        console.complain(f"warning: {warning}")
    return assemble.rules(config, files)

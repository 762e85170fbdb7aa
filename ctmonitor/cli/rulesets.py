"""[SEARCH] becomes a rule set; apart, since check_rules.py needs nothing else."""

from ctmonitor.cli import console
from ctmonitor.cli.rulefiles import FileRules, RuleFiles
from ctmonitor.config import Config
from ctmonitor.rules.ruleset import Rules, RuleSet


def rule_files(config: Config) -> RuleFiles:
    """The files of rules that [SEARCH] names, not yet read."""
    return RuleFiles(
        regex_file=config.regex_file,
        allow_file=config.allow_file,
        brand_file=config.brand_file,
        popular_file=config.popular_file,
        popular_ranks=config.popular_ranks,
    )


def rules(config: Config, files: FileRules | None = None) -> RuleSet:
    """
    The rules of [SEARCH] and of its files.

    Args:
        files: what they say; None reads them, and tells on standard error what is odd.

    Raises:
        ConfigError: with the problems of all files.
    """
    if files is None:
        files = rule_files(config).read()
        for warning in files.warnings:
            console.complain(f"warning: {warning}")
    return RuleSet(
        Rules(
            config.search_keywords,
            config.blacklist_keywords,
            config.detection_threshold,
            regexes=files.regexes,
            allowed=files.allowed,
            brands=files.brands,
            popular=files.popular,
            alert_score=config.alert_score,
            weights=config.weights,
            own=config.own_domains,
        )
    )

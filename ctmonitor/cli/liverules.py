"""The rules of a daemon: in force from the start, and replaced while it runs."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from ctmonitor.cli import assemble, console, rulesets
from ctmonitor.config import Config
from ctmonitor.errors import ConfigError
from ctmonitor.rules.ruleset import RuleSet
from ctmonitor.sources.base import Scanner

log = logging.getLogger(__name__)

# Between two looks at the files of rules; two that agree make a change.
_LOOK_S = 0.5

Exchange = Callable[[RuleSet, Scanner | None], None]


class LiveRules:
    """
    Attributes:
        ruleset: in force.
        described: a line for each file of rules in force.
    """

    def __init__(self, config: Config) -> None:
        """
        Reads the files of rules that `config` names.

        Raises:
            ConfigError: with the problems of all files.
        """
        self._config = config
        self._of = config  # the settings that the rules in force are of
        self._files = rulesets.rule_files(config)
        read = self._files.read()
        for warning in read.warnings:
            console.complain(f"warning: {warning}")
        self.described = read.described
        self.ruleset = rulesets.rules(config, read)
        self._is_asked = asyncio.Event()

    def scanner(self) -> Scanner | None:
        """The prefilter for what the sources bring, anew."""
        return assemble.scanner(self._config, self.ruleset)

    def ask(self) -> None:
        """Have everything read again, as SIGHUP wants it. In the event loop."""
        self._is_asked.set()

    async def keep(self, load: Callable[[], Config], exchange: Exchange) -> None:
        """
        Replaces the rules when a file of them changes, or when asked, until cancelled.

        What is read is compiled in a thread, in a good second for 60 brands, in which
        the stream goes on.

        Args:
            load: reads the settings again.
            exchange: puts rules into force; called in the event loop.
        """
        while True:
            is_asked = await self._is_asked_in_time()
            try:
                if is_asked:
                    self._is_asked.clear()
                    told = await self._all(load, exchange)
                elif await asyncio.to_thread(self._files.has_changed):
                    told = await self._changed(exchange)
                else:
                    continue
            except Exception:  # the stream goes on, and so does what keeps its rules
                log.exception("rules: the old ones stay in force")
                continue
            if told:
                log.warning("%s", told)

    async def _is_asked_in_time(self) -> bool:
        with suppress(TimeoutError):
            return await asyncio.wait_for(self._is_asked.wait(), _LOOK_S)
        return False

    async def _changed(self, exchange: Exchange) -> str:
        again = await asyncio.to_thread(self._files.reread)
        for problem in again.problems:
            log.error("rules: %s", problem)
        if again.rules is None:
            return ""
        for warning in again.rules.warnings:
            log.warning("rules: %s", warning)
        ruleset = await asyncio.to_thread(rulesets.rules, self._of, again.rules)
        await self._put(ruleset, exchange)
        self.described = again.rules.described
        return f"rules: changed files are in force. {'; '.join(self.described)}"

    async def _all(self, load: Callable[[], Config], exchange: Exchange) -> str:
        try:
            config = await asyncio.to_thread(load)
            files = rulesets.rule_files(config)
            read = await asyncio.to_thread(files.read)
        except ConfigError as exc:
            for problem in exc.problems:
                log.error("SIGHUP: the old rules stay in force: %s", problem)
            return ""
        for warning in read.warnings:
            log.warning("SIGHUP: %s", warning)
        ruleset = await asyncio.to_thread(rulesets.rules, config, read)
        await self._put(ruleset, exchange)
        self._of, self._files, self.described = config, files, read.described
        own = assemble.own_domains(config)
        described = "; ".join((ruleset.describe(), *self.described, *own))
        return f"SIGHUP: rules read again. {described}"

    async def _put(self, ruleset: RuleSet, exchange: Exchange) -> None:
        # The sources stay as they are, whatever the settings say of them now.
        scanner = await asyncio.to_thread(assemble.scanner, self._config, ruleset)
        self.ruleset = ruleset
        exchange(ruleset, scanner)

"""What a log served that contradicts its signed head, kept in a directory."""

import json
import logging
import re
from datetime import datetime
from pathlib import Path

from ctmonitor.errors import IntegrityError
from ctmonitor.model.clock import utc_text
from ctmonitor.model.log import Log

log = logging.getLogger(__name__)

# Of one log, so that one that lies for weeks does not fill the disk.
_MOST_CASES = 50
_MOST_BYTES = 64 * 1024 * 1024


class Evidence:
    """
    A directory a log, a directory a case in it: the documents as served, and
    `about.json` which says what they are.
    """

    def __init__(self, directory: Path | None) -> None:
        """
        Args:
            directory: made when it is needed; None keeps nothing.
        """
        self._directory = directory
        self._full: set[Path] = set()  # of which it was said

    def keep(self, log_: Log, error: IntegrityError, now: datetime) -> Path | None:
        """
        The directory of the case; None when it could not be kept, which is logged.
        """
        if self._directory is None:
            return None
        # A list's description becomes part of a path: letters, digits and dashes.
        name = re.sub(r"[^A-Za-z0-9]+", "-", log_.name).strip("-")[:60] or "log"
        home = self._directory / f"{name}-{log_.log_id.hex()[:12]}"
        try:
            home.mkdir(parents=True, exist_ok=True)
            if sum(1 for _ in home.iterdir()) >= _MOST_CASES:
                if home not in self._full:
                    log.warning("%s: %d cases are kept, no more", home, _MOST_CASES)
                self._full.add(home)
                return None
            room = _MOST_BYTES - sum(
                file.stat().st_size for file in home.rglob("*") if file.is_file()
            )
            moment = now.strftime("%Y%m%dT%H%M%S.%fZ")
            case = home / f"{moment}-{error.kind}"
            case.mkdir()
            kept, too_large = [], []
            for document, content in error.evidence.items():
                if len(content) > room:
                    too_large.append(document)
                    continue
                room -= len(content)
                safe = re.sub(r"[^A-Za-z0-9.-]+", "-", document)[:80]
                (case / safe).write_bytes(content)
                kept.append(document)
            about = {
                "time": utc_text(now),
                "log": log_.name,
                "operator": log_.operator,
                "log_id": log_.log_id.hex(),
                "address": log_.address,
                "kind": error.kind,
                "detail": error.detail,
                "documents": sorted(kept),
                "too_large": sorted(too_large),
            }
            text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
            (case / "about.json").write_text(text, encoding="utf-8")
        except OSError as exc:
            log.error(
                "evidence against %s cannot be kept in %s: %s. Make the directory of "
                "[SOURCES] Evidence_dir writable.",
                log_.name,
                home,
                exc.strerror or exc,
            )
            return None
        return case

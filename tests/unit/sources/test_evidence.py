"""What is kept of a contradiction, and that it stays within bounds."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ctmonitor.errors import IntegrityError
from ctmonitor.model.log import Log
from ctmonitor.sources import evidence as module
from ctmonitor.sources.evidence import Evidence

LOG = Log(bytes(range(32)), b"", "Sycamore '26/../../x\n", "Op", "https://one.example/")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ERROR = IntegrityError("forked", "two roots", {"head": b"1", "../head before": b"22"})


def test_the_documents_are_kept_as_served_with_what_they_are(tmp_path: Path) -> None:
    case = Evidence(tmp_path / "new").keep(LOG, ERROR, NOON)
    assert case is not None
    assert case.relative_to(tmp_path).parts == (
        "new",
        "Sycamore-26-x-000102030405",
        "20261121T120000.000000Z-forked",
    )
    assert (case / "head").read_bytes() == b"1"
    assert (case / "..-head-before").read_bytes() == b"22"
    assert json.loads((case / "about.json").read_text()) == {
        "time": "2026-11-21T12:00:00",
        "log": LOG.name,
        "operator": "Op",
        "log_id": bytes(range(32)).hex(),
        "address": "https://one.example/",
        "kind": "forked",
        "detail": "two roots",
        "documents": ["../head before", "head"],
        "too_large": [],
    }


def test_without_a_directory_nothing_is_kept() -> None:
    assert Evidence(None).keep(LOG, ERROR, NOON) is None


def test_cases_are_bounded_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evidence = Evidence(tmp_path)
    cases = [evidence.keep(LOG, ERROR, NOON + timedelta(seconds=n)) for n in range(60)]
    assert all(cases[:50])
    assert not any(cases[50:])
    (record,) = caplog.records
    assert "50 cases are kept, no more" in record.getMessage()


def test_bytes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 3000)
    evidence = Evidence(tmp_path)
    error = IntegrityError("root", "x", {"head": b"1", "tile": bytes(2000)})
    for number, too_large in enumerate([[], ["tile"], ["tile"]]):
        case = evidence.keep(LOG, error, NOON + timedelta(seconds=number))
        assert case is not None
        assert json.loads((case / "about.json").read_text())["too_large"] == too_large
        assert (case / "head").exists()


def test_a_directory_that_cannot_be_written_is_told_with_the_setting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert Evidence(tmp_path / "file").keep(LOG, ERROR, NOON) is None
    assert "[SOURCES] Evidence_dir writable" in caplog.text

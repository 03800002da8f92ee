"""What the command line and the HTTP API answer on a fixed small library has not changed.

Where a change is meant, `python -m tests.behaviour record tests/behaviour.json` writes the record anew: the difference
is then part of the commit.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from . import behaviour


@pytest.mark.slow
def test_every_call_answers_as_recorded(tmp_path: Path) -> None:
    before = json.loads(behaviour.GOLDEN.read_text(encoding="utf-8"))
    found = behaviour.differences(before, behaviour.record(tmp_path))
    assert not found, "\n".join(found)
    assert len(before) > 100


def test_a_record_tells_one_answer_from_another() -> None:
    before = {"search red": {"code": 0, "out": {"score": 1.0}}, "status": {"code": 0}}
    after = {"search red": {"code": 0, "out": {"score": 0.9}}, "check": {"code": 0}}
    found = behaviour.differences(before, after)
    assert [line.splitlines()[0] for line in found] == ["search red", "status", "check"]


def test_what_no_two_runs_share_is_not_compared(tmp_path: Path) -> None:
    value = {"seconds": 1.2, "path": f"{tmp_path}/a.jpg", "score": 0.123456, "note": "took 3.4 s", "cursor": None}
    assert behaviour.settled(value, tmp_path) == {
        "seconds": "...",
        "path": "ROOT/a.jpg",
        "score": 0.1235,
        "note": "took N s",
        "cursor": None,
    }

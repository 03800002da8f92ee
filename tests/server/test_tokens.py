"""Tokens, sessions and guesses: who may do what."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from retrieval.errors import LibraryError, UsageError
from retrieval.server.tokens import MINUTE, SESSION, WRONG, FailedLogins, Scope, Sessions, Tokens, digest_of

from ..conftest import Run

pytestmark = pytest.mark.slow


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens.of(tmp_path)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_says_who_shows_it_and_what_they_may(tokens: Tokens) -> None:
    shown = tokens.add("phone", Scope.WRITE)
    caller = tokens.caller(shown)
    assert caller is not None
    assert (caller.name, caller.scope, caller.folder, caller.trusted) == ("phone", Scope.WRITE, None, False)


@pytest.mark.parametrize("wrong", ["", "rtv_", "rtv_x", "ü", "\ud800", "0" * 10_000])
def test_anything_else_is_no_one(tokens: Tokens, wrong: str) -> None:
    tokens.add("phone", Scope.READ)
    assert tokens.caller(wrong) is None


def test_the_token_itself_is_not_stored_and_the_file_is_the_owners(tokens: Tokens) -> None:
    shown = tokens.add("phone", Scope.READ)
    assert shown.removeprefix("rtv_") not in tokens.file.read_text()
    assert stat.S_IMODE(tokens.file.stat().st_mode) == 0o600


def test_a_token_that_is_taken_away_ends_at_once_also_elsewhere(tokens: Tokens) -> None:
    shown = tokens.add("phone", Scope.READ)
    other = Tokens(tokens.file)
    assert other.caller(shown) is not None
    tokens.remove("phone")
    assert other.caller(shown) is None


def test_a_folder_limits_a_token_and_such_a_one_only_reads(tokens: Tokens, tmp_path: Path) -> None:
    caller = Tokens(tokens.file).caller(tokens.add("guest", Scope.READ, tmp_path / "family"))
    assert caller is not None
    assert caller.folder == tmp_path / "family"
    with pytest.raises(UsageError, match="only read"):
        tokens.add("other", Scope.WRITE, tmp_path)


def test_two_tokens_of_one_name_are_refused(tokens: Tokens) -> None:
    tokens.add("phone", Scope.READ)
    with pytest.raises(UsageError, match="already"):
        tokens.add("phone", Scope.READ)


def test_a_damaged_file_lets_no_one_in(tokens: Tokens) -> None:
    tokens.file.write_text('[{"name": "x"}]')
    with pytest.raises(LibraryError, match="damaged"):
        tokens.caller("rtv_x")


def test_a_session_ends_by_itself_and_by_hand() -> None:
    clock = Clock()
    sessions = Sessions(clock=clock)
    first, second = sessions.begin("rtv_1"), sessions.begin("rtv_1")
    sessions.end(second)
    known = (sessions.digest(first), sessions.digest(second), sessions.digest("else"))
    assert known == (digest_of("rtv_1"), None, None)
    clock.now += SESSION + 1
    assert sessions.digest(first) is None


def test_sessions_outlast_the_server_and_keep_no_cookie(tokens: Tokens) -> None:
    cookie = tokens.sessions().begin("rtv_1")
    again = tokens.sessions()
    assert again.digest(cookie) == digest_of("rtv_1")
    kept = tokens.file.with_name("sessions.json")
    assert cookie not in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
    again.end(cookie)
    assert tokens.sessions().digest(cookie) is None
    kept.write_text("[1]")
    assert tokens.sessions().digest(cookie) is None


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_the_owner_of_the_library(tokens: Tokens) -> None:
    os.chown(tokens.file.parent, 1234, 1234)
    tokens.add("phone", Scope.READ)
    tokens.add("tablet", Scope.READ)
    assert (tokens.file.stat().st_uid, tokens.file.stat().st_mode & 0o777) == (1234, 0o600)


def test_a_new_token_of_an_old_name_does_not_open_its_sessions(tokens: Tokens) -> None:
    sessions = Sessions()
    cookie = sessions.begin(tokens.add("bob", Scope.READ))
    tokens.remove("bob")
    tokens.add("bob", Scope.ADMIN)
    assert tokens.of_digest(sessions.digest(cookie) or "") is None


def test_who_guesses_has_to_wait_and_no_one_else() -> None:
    clock = Clock()
    guesses = FailedLogins(clock)
    for _ in range(WRONG):
        assert guesses.wait("10.0.0.1") == 0
        guesses.wrong("10.0.0.1")
    assert guesses.wait("10.0.0.1") == MINUTE
    assert guesses.wait("10.0.0.2") == 0
    clock.now += MINUTE + 1
    assert guesses.wait("10.0.0.1") == 0


def test_tokens_are_made_listed_and_taken_away_by_commands(filled: Run, tmp_path: Path) -> None:
    shown = filled("token", "add", "guest", "--folder", tmp_path / "photos").stdout.strip()
    assert Tokens.of(tmp_path / "library").caller(shown) is not None
    listed = filled("token", "list").stdout
    assert "guest\tread" in listed
    assert shown not in listed
    filled("token", "remove", "guest")
    assert Tokens.of(tmp_path / "library").caller(shown) is None
    assert "no token guest" in filled("token", "remove", "guest", code=2).stderr

"""Who may do what: named tokens with a scope and perhaps a folder, kept hashed; and the sessions of browsers.

Knows files, hashes and clocks; does not know HTTP.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path

from ..errors import LibraryReadOnly, UsageError

FILE = "tokens.json"
SESSION = 30 * 24 * 3600  # seconds that a browser stays logged in
WRONG = 10  # wrong tokens of one address within `MINUTE`, after which it has to wait
MINUTE = 60.0
NAME = re.compile(r"[\w.-]{1,64}")


class Scope(IntEnum):
    """What a caller may do; each may do what those before it may."""

    READ = 1
    WRITE = 2  # captions, saved searches, taught words
    ADMIN = 3  # indexing, models, duplicates


@dataclass(frozen=True)
class Caller:
    """Someone who asks."""

    name: str
    scope: Scope
    folder: Path | None = None  # all that they may see of the library; none: everything
    trusted: bool = False  # whether queries may name files by their path


ANYONE = Caller("anyone", Scope.ADMIN)  # on this machine, where no token is demanded
NO_ONE = Caller("no one", Scope.READ, Path("/nowhere"))
OWNER = Caller("owner", Scope.ADMIN, trusted=True)  # who can open the socket in the library's folder
CALLER: ContextVar[Caller] = ContextVar("caller", default=OWNER)  # for what is not given the request; else who started


@dataclass(frozen=True)
class Token:
    """A token as it is kept."""

    name: str
    scope: Scope
    digest: str  # SHA-256 of the token: it has 256 random bits, so nothing slower is needed
    folder: Path | None = None
    made_at: str = ""

    @property
    def caller(self) -> Caller:
        """Who shows it."""
        return Caller(self.name, self.scope, self.folder)


@dataclass
class Tokens:
    """The tokens of one library, in a file that only its owner can read."""

    file: Path
    _read: tuple[int, tuple[Token, ...]] = (0, ())

    @classmethod
    def of(cls, library: Path) -> Tokens:
        """The tokens of the library in this folder."""
        return cls(library / FILE)

    def all(self) -> tuple[Token, ...]:
        """Every token; read again when the file has changed, so that one that is taken away ends at once.

        Raises:
            UsageError: the file is damaged. No one comes in then.
        """
        try:
            changed = self.file.stat().st_mtime_ns
            if changed != self._read[0]:
                rows = json.loads(self.file.read_text(encoding="utf-8"))
                self._read = changed, tuple(_token(row) for row in rows)
        except FileNotFoundError:
            self._read = 0, ()
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise UsageError(
                f"{self.file} is damaged or cannot be read; mend or delete it, and make new tokens"
            ) from exc
        return self._read[1]

    def add(self, name: str, scope: Scope, folder: Path | None = None) -> str:
        """Make a token; the only time that it can be read.

        Raises:
            UsageError: the name is taken or no name, or a limited token that may write.
            LibraryReadOnly: the file cannot be written.
        """
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name for a token; use letters, digits, - _ and .")
        if any(token.name == name for token in self.all()):
            raise UsageError(f"there is a token {name} already; take it away first, or choose another name")
        if folder is not None and scope is not Scope.READ:
            raise UsageError("a token for one folder can only read")
        shown = f"rtv_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._write((*self.all(), Token(name, scope, digest_of(shown), folder, now)))
        return shown

    def remove(self, name: str) -> None:
        """Take a token away.

        Raises:
            UsageError: there is none of this name.
        """
        kept = tuple(token for token in self.all() if token.name != name)
        if len(kept) == len(self.all()):
            raise UsageError(f"there is no token {name}")
        self._write(kept)

    def caller(self, shown: str) -> Caller | None:
        """Who shows this token; compared in constant time with each."""
        return self.of_digest(digest_of(shown))

    def of_digest(self, digest: str) -> Caller | None:
        """Who has the token with this hash, as long as it is not taken away."""
        found = None
        for token in self.all():
            if hmac.compare_digest(digest, token.digest):
                found = token.caller
        return found

    def _write(self, tokens: tuple[Token, ...]) -> None:
        rows = [
            {
                "name": token.name,
                "scope": token.scope.name.lower(),
                "sha256": token.digest,
                "folder": None if token.folder is None else str(token.folder),
                "made_at": token.made_at,
            }
            for token in tokens
        ]
        temporary = self.file.with_suffix(".new")
        try:
            temporary.unlink(missing_ok=True)
            temporary.touch(mode=0o600)
            temporary.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            temporary.replace(self.file)
        except OSError as exc:
            raise LibraryReadOnly(f"cannot write {self.file}: {exc.strerror}") from exc


def _token(row: dict[str, str]) -> Token:
    folder = Path(row["folder"]) if row.get("folder") else None
    return Token(row["name"], Scope[row["scope"].upper()], row["sha256"], folder, row.get("made_at", ""))


def digest_of(shown: str) -> str:
    """The hash that stands for a token or a cookie."""
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass
class Sessions:
    """Who is logged in with a browser; forgotten when the server stops."""

    clock: Callable[[], float] = time.monotonic
    _open: dict[str, tuple[str, float]] = field(default_factory=dict)  # digest of the cookie -> of the token, end

    def begin(self, token: str) -> str:
        """A cookie for the holder of a token."""
        now = self.clock()
        self._open = {key: value for key, value in self._open.items() if value[1] > now}
        cookie = secrets.token_urlsafe(32)
        self._open[digest_of(cookie)] = digest_of(token), now + SESSION
        return cookie

    def digest(self, cookie: str) -> str | None:
        """The hash of the token for which this cookie was given: another one of the same name is another one."""
        digest, end = self._open.get(digest_of(cookie), ("", 0.0))
        return digest if end > self.clock() else None

    def end(self, cookie: str) -> None:
        """Log out."""
        self._open.pop(digest_of(cookie), None)


@dataclass
class Guesses:
    """Slows down who tries tokens."""

    clock: Callable[[], float] = time.monotonic
    _wrong: dict[str, deque[float]] = field(default_factory=dict)

    def wait(self, address: str) -> int:
        """Seconds that this address has to wait; 0: none."""
        times = self._wrong.get(address)
        while times and times[0] < self.clock() - MINUTE:
            times.popleft()
        if not times or len(times) < WRONG:
            return 0
        return max(1, round(times[0] + MINUTE - self.clock()))

    def wrong(self, address: str) -> None:
        """A wrong token was shown."""
        if len(self._wrong) > 10_000:  # of that many addresses the oldest are forgotten
            self._wrong.pop(next(iter(self._wrong)))
        self._wrong.setdefault(address, deque(maxlen=WRONG)).append(self.clock())

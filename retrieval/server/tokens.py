"""Access control: named tokens, each with a scope and perhaps one folder, stored as hashes; and browser sessions.

Does not know HTTP.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from ..errors import LibraryError, LibraryReadOnly, UsageError
from ..runtime import private_files
from ..types.serialize import utc_now

FILE, SESSIONS = "tokens.json", "sessions.json"
SESSION = 30 * 24 * 3600  # seconds that a browser stays logged in
WRONG = 10  # wrong tokens from one address within `MINUTE` (seconds) before it has to wait
MINUTE = 60.0
NAME = re.compile(r"[\w.-]{1,64}")


class Scope(IntEnum):
    """What a caller may do; each scope includes those before it."""

    READ = 1
    WRITE = 2  # captions, saved searches, taught words
    ADMIN = 3  # indexing, models, duplicates


@dataclass(frozen=True)
class Caller:
    """Who sends a request, and what they may do."""

    name: str
    scope: Scope
    folder: Path | None = None  # the part of the library that they may see; None: all of it
    trusted: bool = False  # whether queries may name files by their path


ANYONE = Caller("anyone", Scope.ADMIN)  # a caller on this machine, where no token is required
NO_ONE = Caller("no one", Scope.READ, Path("/nowhere"))
OWNER = Caller("owner", Scope.ADMIN, trusted=True)  # whoever can open the Unix socket in the library's folder
CALLER: ContextVar[Caller] = ContextVar("caller", default=OWNER)  # for code without the request; the owner by default


@dataclass(frozen=True)
class Token:
    """A token as it is stored: its hash, not the token itself."""

    name: str
    scope: Scope
    digest: str  # SHA-256 of the token: it has 256 random bits, so nothing slower is needed
    folder: Path | None = None
    made_at: str = ""

    @property
    def caller(self) -> Caller:
        """The caller that this token identifies."""
        return Caller(self.name, self.scope, self.folder)


@dataclass
class Tokens:
    """The tokens of one library, in a file that only its owner can read."""

    file: Path
    _read: tuple[int, tuple[Token, ...]] = (0, ())

    @classmethod
    def of(cls, library: Path) -> Tokens:
        """Return the tokens of the library in this folder."""
        return cls(library / FILE)

    def sessions(self) -> Sessions:
        """Return the sessions of browsers that logged in with these tokens."""
        return Sessions(self.file.with_name(SESSIONS))

    def all(self) -> tuple[Token, ...]:
        """Return every token; a changed file is read again, so that a removed token stops working at once.

        Raises:
            LibraryError: the file is damaged or cannot be read; no token is accepted then.
        """
        try:
            changed = self.file.stat().st_mtime_ns
            if changed != self._read[0]:
                rows = json.loads(self.file.read_text(encoding="utf-8"))
                self._read = changed, tuple(_token(row) for row in rows)
        except FileNotFoundError:
            self._read = 0, ()
        except (OSError, ValueError, KeyError, TypeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "it is damaged"
            raise LibraryError(
                f"cannot read the tokens in {self.file}: {why}; give the file to the user that the server runs as, or "
                "delete it and make new tokens"
            ) from exc
        return self._read[1]

    def add(self, name: str, scope: Scope, folder: Path | None = None) -> str:
        """Create a token and return it; only its hash is stored, so it cannot be shown again.

        Raises:
            UsageError: the name is invalid or taken, or a token for one folder would have more than the read scope.
            LibraryReadOnly: the file cannot be written.
        """
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not a valid name for a token; use letters, digits, - _ and .")
        if any(token.name == name for token in self.all()):
            raise UsageError(f"there is already a token {name}; remove it first, or choose another name")
        if folder is not None and scope is not Scope.READ:
            raise UsageError("a token for one folder can only read")
        shown = f"rtv_{secrets.token_urlsafe(32)}"
        self._write((*self.all(), Token(name, scope, digest_of(shown), folder, utc_now())))
        return shown

    def remove(self, name: str) -> None:
        """Delete a token.

        Raises:
            UsageError: there is no token of this name.
            LibraryReadOnly: the file cannot be written.
        """
        kept = tuple(token for token in self.all() if token.name != name)
        if len(kept) == len(self.all()):
            raise UsageError(f"there is no token {name}")
        self._write(kept)

    def caller(self, shown: str) -> Caller | None:
        """Return the caller with this token, None if it is unknown; hashes are compared in constant time."""
        return self.of_digest(digest_of(shown))

    def of_digest(self, digest: str) -> Caller | None:
        """Return the caller whose token has this hash; None if no stored token has it."""
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
        try:
            private_files.write_text(self.file, json.dumps(rows, indent=1) + "\n")
        except OSError as exc:
            raise LibraryReadOnly(f"cannot write {self.file}: {exc.strerror}") from exc


def _token(row: dict[str, str]) -> Token:
    folder = Path(row["folder"]) if row.get("folder") else None
    return Token(row["name"], Scope[row["scope"].upper()], row["sha256"], folder, row.get("made_at", ""))


def digest_of(shown: str) -> str:
    """Return the SHA-256 hash, in hexadecimal, under which a token or a cookie is stored."""
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass
class Sessions:
    """The sessions of logged-in browsers; with a file, which keeps hashes only, they outlast the server."""

    file: Path | None = None
    clock: Callable[[], float] = time.time
    _open: dict[str, tuple[str, float]] = field(default_factory=dict)  # hash of cookie -> hash of token, expiry
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        try:
            rows = json.loads(self.file.read_text(encoding="utf-8")) if self.file else {}
            self._open = {str(key): (str(token), float(end)) for key, (token, end) in rows.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._open = {}  # everyone logs in again

    def begin(self, token: str) -> str:
        """Start a session for the holder of a token; return the value of its cookie."""
        cookie = secrets.token_urlsafe(32)
        with self._lock:
            self._open[digest_of(cookie)] = digest_of(token), self.clock() + SESSION
            self._keep()
        return cookie

    def digest(self, cookie: str) -> str | None:
        """Return the hash of the token that started the session; None if the session is unknown or has expired.

        The hash, not the name, identifies the token: a later token of the same name does not continue the session.
        """
        digest, end = self._open.get(digest_of(cookie), ("", 0.0))
        return digest if end > self.clock() else None

    def end(self, cookie: str) -> None:
        """End the session with this cookie."""
        with self._lock:
            if self._open.pop(digest_of(cookie), None):
                self._keep()

    def _keep(self) -> None:
        """Write the open sessions; where the library cannot be written, they end with the server."""
        now = self.clock()
        self._open = {key: value for key, value in self._open.items() if value[1] > now}
        if self.file is not None:
            with contextlib.suppress(OSError):
                private_files.write_text(self.file, json.dumps(self._open))


@dataclass
class FailedLogins:
    """Counts wrong tokens by client address, and makes addresses with too many of them wait."""

    clock: Callable[[], float] = time.monotonic
    _wrong: dict[str, deque[float]] = field(default_factory=dict)

    def wait(self, address: str) -> int:
        """Return the number of seconds that this address has to wait; 0 if it need not."""
        times = self._wrong.get(address)
        while times and times[0] < self.clock() - MINUTE:
            times.popleft()
        if not times or len(times) < WRONG:
            return 0
        return max(1, round(times[0] + MINUTE - self.clock()))

    def wrong(self, address: str) -> None:
        """Record a wrong token from this address."""
        if len(self._wrong) > 10_000:  # beyond this many addresses, the oldest is forgotten
            self._wrong.pop(next(iter(self._wrong)))
        self._wrong.setdefault(address, deque(maxlen=WRONG)).append(self.clock())

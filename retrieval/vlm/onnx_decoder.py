"""The built-in captioner's two ONNX graphs: picture tokens, and a decoder that reads, scores and writes texts on them.

Knows ONNX Runtime through the encoder's loader, and beam search; does not know prompts, questions or calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..encoders.onnx_towers import MANY, OnnxGraph

LOOK, READ = "look.onnx", "read.onnx"
AT_ONCE = 64  # texts in a call, which limits memory
IMPOSSIBLE = -1e9

Floats: TypeAlias = npt.NDArray[np.float32]
Tokens: TypeAlias = list[int]


@dataclass(frozen=True)
class BeamSearch:
    """How texts are written: `beams` texts of each picture are followed at a time, none longer than `longest`."""

    beams: int = 4
    longest: int = 24  # tokens
    penalty: float = 1.0  # the log-probability is divided by length ** penalty


@dataclass
class OnnxDecoder:
    """The graphs `look.onnx` and `read.onnx` of a folder, each loaded when it is first needed."""

    folder: Path
    start: int  # the token that begins every text
    end: int
    state: tuple[int, int, int]  # layers, heads and width of a head, of the keys and values of a text
    _looking: OnnxGraph = field(init=False, repr=False)
    _reading: OnnxGraph = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._looking, self._reading = (OnnxGraph(self.folder / name) for name in (LOOK, READ))

    def look(self, cells: Floats) -> Floats:
        """Return the vision features of n pictures: (n, rows, columns, channels) -> (n, tokens, width) float32."""
        found: Floats = self._looking.session(len(cells)).run(["looked"], {"cells": cells})[0]
        return found

    def log_probabilities(self, texts: Sequence[Tokens], looked: Floats) -> list[Floats]:
        """Return the log-probability of each token of n texts on n pictures, each (length of the text,)."""
        found: list[Floats] = []
        for first in range(0, len(texts), AT_ONCE):
            some = texts[first : first + AT_ONCE]
            longest = max(map(len, some))
            rows = np.full((len(some), longest), self.end, np.int64)
            rows[:, 0] = self.start
            for row, text in enumerate(some):
                rows[row, 1 : len(text)] = text[:-1]
            said, _ = self._read(rows, looked[first : first + AT_ONCE], self._nothing(len(some)))
            found += [said[row, np.arange(len(text)), text] for row, text in enumerate(some)]
        return found

    def next_words(self, text: Tokens, looked: Floats) -> Floats:
        """Return the log-probabilities of what follows a text on n pictures: (n, vocabulary)."""
        pieces = []
        for first in range(0, len(looked), AT_ONCE):
            some = looked[first : first + AT_ONCE]
            rows = np.array([[self.start, *text]] * len(some), np.int64)
            pieces.append(self._read(rows, some, self._nothing(len(some)))[0][:, -1])
        return np.concatenate(pieces)

    def write(self, looked: Floats, how: BeamSearch) -> list[list[tuple[float, Tokens]]]:
        """Return the best texts of n pictures, (score, tokens), best first; no three words stand twice in one."""
        searches = [_Beams(self.end, how) for _ in looked]
        tokens = np.full((len(looked), 1), self.start, np.int64)
        owners = np.arange(len(looked))
        past = self._nothing(len(looked))
        for _ in range(how.longest):
            said, past = self._read(tokens, looked[owners], past)
            rows, words = list[int](), list[int]()
            for owner, search in enumerate(searches):
                mine = np.flatnonzero(owners == owner)
                if len(mine):
                    for beam, word in search.step(said[mine, -1]):
                        rows.append(int(mine[beam]))
                        words.append(word)
            if not rows:
                break
            owners, past = owners[rows], past[:, :, rows]
            tokens = np.array(words, np.int64)[:, None]
        return [search.found() for search in searches]

    def _read(self, tokens: npt.NDArray[np.int64], looked: Floats, past: Floats) -> tuple[Floats, Floats]:
        given = {"tokens": tokens, "looked": looked.astype(np.float32, copy=False), "past": past}
        said, kept = self._reading.session(MANY).run(["said", "kept"], given)
        return said, kept

    def _nothing(self, count: int) -> Floats:
        """Return the keys and values of no tokens: (layers, 2, n, heads, 0, width)."""
        layers, heads, width = self.state
        return np.zeros((layers, 2, count, heads, 0, width), np.float32)


@dataclass
class _Beams:
    """Beam search over the texts of one picture."""

    end: int
    how: BeamSearch
    _open: list[tuple[float, Tokens]] = field(default_factory=lambda: [(0.0, [])])
    _done: list[tuple[float, Tokens]] = field(default_factory=list)

    def step(self, said: Floats) -> list[tuple[int, int]]:
        """Go on by one word, by the log-probabilities (beams, vocabulary); return (beam, word) of texts that go on."""
        count = self.how.beams
        for row, (_, text) in enumerate(self._open):
            said[row, _repeating(text)] = IMPOSSIBLE
        totals = said + np.array([score for score, _ in self._open], np.float32)[:, None]
        most = min(2 * count, totals.size)
        best = np.argpartition(-totals, most - 1, axis=None)[:most]
        best = best[np.argsort(-totals.flat[best], kind="stable")]
        going, texts = list[tuple[int, int]](), list[tuple[float, Tokens]]()
        for place in best.tolist():
            beam, word = divmod(place, said.shape[1])
            score, text = float(totals[beam, word]), self._open[beam][1]
            if word == self.end:
                self._done.append((score / (len(text) + 1) ** self.how.penalty, text))
            elif len(texts) < count:
                going.append((beam, word))
                texts.append((score, [*text, word]))
        self._open = texts
        return [] if len(self._done) >= count else going

    def found(self) -> list[tuple[float, Tokens]]:
        """Return the finished texts, best first; where none is, the best of those that are cut off."""
        cut = [(score / len(text) ** self.how.penalty, text) for score, text in self._open if text]
        return sorted(self._done or cut, key=lambda each: -each[0])[: self.how.beams]


def _repeating(text: Tokens) -> list[int]:
    """Return the words that would end a group of three that the text has already."""
    last = text[-2:]
    return [text[place + 2] for place in range(len(text) - 2) if text[place : place + 2] == last]

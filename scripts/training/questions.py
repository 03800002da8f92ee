"""Yes-or-no questions made from captions: what people wrote is there, so many times; what no one wrote and the encoder
doubts is not.

Knows words and similarities; does not know the captioner.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# Words that captions are full of and that no one would ask for.
PLAIN = frozenset(
    "a an the of on in at to and or with his her its their is are was be being been he she it they them this "
    "that these there while by from for as up down out over into onto through near next another other some one "
    "two three four several many group front back top side left right large small big little very has have "
    "having holding wearing standing sitting walking looking looks stands sits walks holds wears along across "
    "around behind under above who which what where each all both off about against between during no not just "
    "like posing posed picture photo image".split()
)
COMMON = 400  # the most frequent words that are asked for
TEMPLATES = ("is there {}?", "is there {} in the picture?", "can you see {}?", "does this picture show {}?")
PERSONS = frozenset(
    "person people man men woman women boy boys girl girls child children kid kids guy guys lady ladies baby toddler "
    "player players crowd skateboarder surfer skier snowboarder rider cyclist biker worker workers someone".split()
)
IRREGULAR = {"men": "man", "women": "woman", "children": "child", "people": "person", "buses": "bus"}
NUMBERS = {"a": 1, "an": 1, "one": 1, "single": 1, "two": 2, "couple": 2, "pair": 2, "three": 3, "four": 4}
SPELLED = {1: "only one", 2: "two", 3: "three", 4: "four"}
AGREE, AGREE_ON_ONE = 2, 3  # captions that must say the same number, where there are as many
COUNT_TIMES = 3  # of each question on a number, which is harder than whether something is there
COUNTED = 10  # times that a number must stand right before a noun for it to be counted at all


@dataclass(frozen=True)
class Question:
    """Tokens of a question and of its answer."""

    words: list[int]
    answer: int


def nouns(captions: Sequence[Sequence[str]]) -> list[str]:
    """What is asked for: the most frequent words, less the plain ones and those that end like verbs or adverbs."""
    counts = Counter(word for each in captions for caption in each for word in set(words_of(caption)))
    named = [word for word, _ in counts.most_common() if len(word) > 2 and word not in PLAIN]
    return list(dict.fromkeys(["people", *(word for word in named if not word.endswith(("ing", "ly", "ed")))]))[:COMMON]


def words_of(caption: str) -> list[str]:
    return re.findall("[a-z]+", caption.lower())


def make(
    captions: Sequence[Sequence[str]],
    asked: Sequence[str],
    likeness: np.ndarray,
    encode: Callable[[str], list[int]],
) -> list[list[Question]]:
    """Questions on each picture, as many with yes as with no.

    likeness (pictures, words) is the encoder's cosine: a word counts as absent only where no caption has it and the
    encoder finds it less likely than for half of all pictures (three quarters, where there are one or two captions). A
    wrong number is one off, most of the time.
    """
    yes, no = encode("yes")[0], encode("no")[0]
    column = {word: number for number, word in enumerate(asked)}
    kinds = countable(captions)
    doubtful = {few: np.quantile(likeness, share, axis=0) for few, share in ((True, 0.25), (False, 0.5))}
    found = []
    for row, each in enumerate(captions):
        said = {word for caption in each for word in words_of(caption)}
        said |= {"people", "person"} if said & PERSONS else set()
        bar = doubtful[len(each) < 3]  # few captions leave more unsaid
        there = [word for word in said if word in column]
        absent = [word for word in asked if word not in said and likeness[row, column[word]] < bar[column[word]]]
        luck = np.random.default_rng(row)
        missing = list(luck.choice(absent, min(len(there), len(absent)), replace=False)) if absent else []
        pairs = [(_some(word), yes) for word in there] + [(_some(str(word)), no) for word in missing]
        for noun, number in counted(each, kinds).items():
            wrong = int(luck.choice([other for other in SPELLED if other != number], p=_nearer(number)))
            right, off = f"{SPELLED[number]} {form(noun, number)}", f"{SPELLED[wrong]} {form(noun, wrong)}"
            pairs += COUNT_TIMES * [(right, yes), (off, no)]
        ask = [(TEMPLATES[int(luck.integers(len(TEMPLATES)))].format(what), answer) for what, answer in pairs]
        found.append([Question(encode(f"question: {text} answer:"), answer) for text, answer in ask])
    return found


def countable(captions: Sequence[Sequence[str]]) -> set[str]:
    """Nouns, in the singular, whose plural people put a number to."""
    counts: Counter[str] = Counter()
    for caption in (caption for each in captions for caption in each):
        for number, word in pairwise(words_of(caption)):
            if NUMBERS.get(number, 0) > 1 and singular(word) != word:
                counts[singular(word)] += 1
    return {noun for noun, times in counts.items() if times >= COUNTED and noun not in PLAIN}


def counted(captions: Sequence[str], countable: Container[str]) -> dict[str, int]:
    """How many of a noun (in the singular) a picture shows, 1 to 4, where enough captions agree.

    Two of them with the same plural number, which most that give a number give; or `AGREE_ON_ONE` with one and none
    with more. A caption that names the noun twice in the singular means two.
    """
    claims: dict[str, Counter[int]] = defaultdict(Counter)
    for caption in captions:
        for noun, numbers in _numbers(words_of(caption), countable).items():
            known = [number for number in numbers if number]
            several = 1 < len(known) == known.count(1)
            claims[noun][len(known) if several else max(known) if len(known) == len(numbers) else 0] += 1
    found = {}
    for noun, counts in claims.items():
        many = sum(times for number, times in counts.items() if number)
        number, times = max(((n, t) for n, t in counts.items() if n in SPELLED), key=lambda x: x[1], default=(0, 0))
        if number > 1 and times >= min(AGREE, len(captions)) and 2 * times > many:
            found[noun] = number
        elif number == 1 and times >= min(AGREE_ON_ONE, len(captions)) and set(counts) == {1}:
            found[noun] = 1
    return found


def _numbers(words: Sequence[str], countable: Container[str]) -> dict[str, list[int]]:
    """The number before each mention of a noun, 0 where there is none that fits."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(words):
        single = singular(word)
        if single in countable:
            before = [NUMBERS[each] for each in words[max(0, place - 3) : place] if each in NUMBERS]
            number = before[-1] if before else 0
            found[single].append(number if (single != word) == (number > 1) else 0)
    return found


def singular(word: str) -> str:
    """dogs -> dog; women -> woman; grass stays."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        if word.endswith("ies"):
            return word[:-3] + "y"
        return word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word[:-1]
    return word


def form(noun: str, number: int) -> str:
    if number == 1:
        return noun
    plural = next((plural for plural, single in IRREGULAR.items() if single == noun), "")
    if noun.endswith("y") and noun[-2] not in "aeiou":
        plural = noun[:-1] + "ies"
    return plural or noun + ("es" if noun.endswith(("ch", "sh", "x", "s")) else "s")


def _some(word: str) -> str:
    if singular(word) != word:
        return word
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _nearer(number: int) -> list[float]:
    """Chances of the other numbers: the nearest are four times as likely."""
    weights = [4.0 if abs(other - number) == 1 else 1.0 for other in SPELLED if other != number]
    return [weight / sum(weights) for weight in weights]

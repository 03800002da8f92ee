"""Model families as data: their prompts, limits and box notations. Loads nothing.

A checkpoint's `model_type` selects its family, or a name where several families share one type. In prompts, `{image}`
marks the picture's place (default: in front); `{query}`, `{question}` and `{phrase}` are the user's words. An empty
prompt means that the family lacks the ability.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..errors import ModelError, UsageError
from ..types.records import Box
from . import Ability, boxes
from .boxes import BoxFormat
from .messages import Message, TextPart, frames_as_images, user

if TYPE_CHECKING:
    from PIL.Image import Image


class Scorer(Enum):
    """How a verdict is computed."""

    WORDS = "the first token of the answer, yes against no"
    LIKELIHOOD = "how likely the query is as the picture's caption, against a picture of nothing"
    HEAD = "a head of the model's own"


class Backend(Enum):
    """Where a family runs."""

    BUILTIN = "onnx"
    IN_PROCESS = "transformers"
    ENDPOINT = "endpoint"


@dataclass(frozen=True)
class Family:
    """One model family."""

    name: str
    types: tuple[str, ...]  # transformers' `model_type`; the first family that lists a type is its default
    route: Backend = Backend.IN_PROCESS
    template: bool = True  # the processor has a chat template; otherwise the prompts below are the whole prompt
    sanitizes: bool = True  # the template escapes control tokens in the user's words; otherwise they are removed
    picture: str = ""  # placeholder of a picture in such a prompt, unless the processor inserts it
    images: int = 64  # maximum number of pictures in one prompt
    video: bool = False  # reads frames with their times itself; otherwise they are passed as numbered pictures
    padding: str = "left"
    encodes: bool = False  # encoder-decoder: the output does not repeat the prompt
    caption: str = "Describe this picture in one short sentence."
    answer: str = "{question}"
    system: str = ""  # system message for `judge`
    judge: str = 'Does this picture show "{query}"? Answer with yes or no only.'
    counts: bool = True  # its answers to questions about numbers improve a ranking (benchmarks/facts.py)
    verify: str = "{question} Answer with yes or no only."
    words: tuple[tuple[str, ...], tuple[str, ...]] = (("yes",), ("no",))
    scorer: Scorer = Scorer.WORDS
    weight: float = 1.0  # of its verdicts against an encoder's scores, by `retrieval eval --rerank` on held-out pairs
    ground: str = ""
    boxes: Callable[[BoxFormat], list[Box]] | None = (
        None  # parser of the grounding answer; None: the box around the mask
    )
    special: bool = False  # the grounding answer writes boxes as special tokens
    segment: str = ""
    heat: bool = False  # segments with a map of log-odds; otherwise with polygons written as text

    @property
    def abilities(self) -> frozenset[Ability]:
        """What models of the family can do."""
        several = self.images > 1
        can = {
            Ability.CAPTION: bool(self.caption),
            Ability.CHAT: self.template and bool(self.answer),
            Ability.ANSWER: bool(self.answer),
            Ability.COUNT: bool(self.answer) and self.counts,
            Ability.IMAGES: several,
            Ability.VIDEO: self.template and bool(self.answer) and (self.video or several),
            Ability.GROUND: bool(self.ground),
            Ability.SEGMENT: bool(self.segment),
            Ability.JUDGE: bool(self.judge),
        }
        return frozenset(ability for ability, there in can.items() if there)

    def asked(self, prompt: str, images: Sequence[Image], **words: str) -> Message:
        """Return a user message from a prompt, with the pictures in place of `{image}`, or in front."""
        before, mark, after = prompt.partition("{image}")
        texts = [part.format(**words) if words else part for part in ((before, after) if mark else ("", prompt))]
        return user(*([texts[0]] if texts[0] else []), *images, *([texts[1]] if texts[1] else []))

    def judging(self, image: Image, query: str) -> list[Message]:
        """Return the messages that ask for a verdict on a query."""
        system = [Message("system", (TextPart(self.system),))] if self.system else []
        return [*system, self.asked(self.judge, [image], query=query)]

    def verifying(self, image: Image, question: str) -> list[Message]:
        """Return the messages that ask a yes-or-no question."""
        return [self.asked(self.verify, [image], question=question)]

    def fitting(self, messages: Sequence[Message], *, video: bool) -> list[Message]:
        """Return messages that the family can take; unless `video`, frames become pictures.

        Raises:
            UsageError: there are more pictures than the family takes.
        """
        found = [message if video else frames_as_images(message) for message in messages]
        count = sum(len(message.images) for message in found)
        if count > self.images:
            raise UsageError(f"{self.name} takes at most {self.images} pictures at a time, got {count}")
        return found


QWEN_GROUND = 'Locate "{phrase}" in the image. Answer with JSON only: [{{"bbox_2d": [x0, y0, x1, y1], "label": "..."}}]'
RERANKER = 'Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can only be "yes" or "no".'  # noqa: E501  # the prompt it was trained with

FAMILIES: tuple[Family, ...] = (
    Family("builtin", (), Backend.BUILTIN, template=False, images=1, scorer=Scorer.LIKELIHOOD),
    Family("LLaVA-1.5", ("llava",)),
    Family("LLaVA-1.6", ("llava_next",)),
    Family("Yi-VL", ("yi_vl",)),
    Family("DeepSeek-VL-chat", ("deepseek_vl", "deepseek_vl_hybrid")),
    Family(
        "DeepSeek-VL-base", (), caption="A picture of", answer="", judge="A picture of", scorer=Scorer.LIKELIHOOD
    ),
    Family("SmolVLM", ("idefics3",), sanitizes=False),
    Family("SmolVLM2", ("smolvlm",), video=True),
    Family("Qwen2-VL", ("qwen2_vl",), video=True, ground=QWEN_GROUND, boxes=boxes.json_pixels),
    Family("Qwen2.5-VL", ("qwen2_5_vl",), video=True, ground=QWEN_GROUND, boxes=boxes.json_pixels),
    Family("Qwen3-VL", ("qwen3_vl",), video=True, ground=QWEN_GROUND, boxes=boxes.json_thousandths),
    Family(
        "Qwen3-VL-Reranker", (), images=1, caption="", answer="", system=RERANKER,
        judge="<Instruct>: Retrieve images relevant to the query.\n<Query>: {query}\n<Document>: {image}",
    ),
    Family(
        "MonoQwen2-VL", (), images=1, caption="", answer="", words=(("true",), ("false",)),
        judge="Assert the relevance of the previous image document to the following query, answer True or False. "
        "The query is: {query}",
    ),
    Family(
        "jina-reranker-m0", (), template=False, picture="<|vision_start|><|image_pad|><|vision_end|>", images=1,
        caption="", answer="", scorer=Scorer.HEAD, judge="**Document**:\n{image}\n**Query**:\n{query}",
    ),
    Family(
        "Fuyu", ("fuyu",), template=False, images=1, caption="Generate a coco-style caption.\n",
        answer="{question}\n", verify="{question}\n", judge="Generate a coco-style caption.\n",
        scorer=Scorer.LIKELIHOOD,
    ),
    Family(
        "KOSMOS-2", ("kosmos-2",), template=False, images=1, caption="An image of",
        answer="Question: {question} Answer:", verify="Question: {question} Answer:",
        judge="An image of", scorer=Scorer.LIKELIHOOD,
        ground="<grounding><phrase> {phrase}</phrase>", boxes=boxes.kosmos2, special=True,
    ),
    Family(
        "PaliGemma", ("paligemma",), template=False, picture="<image>", caption="caption en",
        answer="answer en {question}", verify="answer en {question}", judge="answer en does the picture show {query}?",
        ground="detect {phrase}", boxes=boxes.paligemma, special=True,
    ),
    Family(
        "Florence-2", ("florence2",), template=False, images=1, padding="right", encodes=True, caption="<CAPTION>",
        answer="", judge="<CAPTION>", scorer=Scorer.LIKELIHOOD,
        ground="<CAPTION_TO_PHRASE_GROUNDING>{phrase}", boxes=boxes.florence2, special=True,
        segment="<REFERRING_EXPRESSION_SEGMENTATION>{phrase}",
    ),
    Family(
        "CLIPSeg", ("clipseg",), template=False, images=1, padding="right", caption="", answer="", judge="",
        ground="{phrase}", segment="{phrase}", heat=True,
    ),
    # Families without a class in transformers: used through a server that runs them (see `endpoint.py`).
    Family(
        "moondream2", (), Backend.ENDPOINT, images=1, caption="Write a short caption for this image.",
        judge="Does this image show {query}? Answer yes or no.",
    ),
    Family("CogVLM-chat", (), Backend.ENDPOINT, images=1),
    Family(
        "CogVLM-base", (), Backend.ENDPOINT, images=1, answer="Question: {question} Short answer:",
        judge="Question: Does the picture show {query}? yes or no? Short answer:",
        ground="Where is {phrase}? answer in [[x0,y0,x1,y1]] format.", boxes=boxes.cogvlm,
    ),
    Family(
        "Qwen-VL-Chat", (), Backend.ENDPOINT, ground="Output the bounding box of {phrase} in the image.",
        boxes=boxes.qwen_vl,
    ),
    Family(
        "Qwen-VL", (), Backend.ENDPOINT, caption="Generate the caption in English:",
        answer="{question} Answer:", judge="Does the picture show {query}? yes or no? Answer:",
        ground="<ref>{phrase}</ref><box>", boxes=boxes.qwen_vl,
    ),
)  # fmt: skip

ANY = Family("any", (), Backend.ENDPOINT, ground=QWEN_GROUND, boxes=boxes.json_thousandths)  # any model behind a server


def named(name: str) -> Family:
    """Return the family of a name, ignoring case.

    Raises:
        ModelError: there is no such family.
    """
    for family in FAMILIES:
        if family.name.lower() == name.lower():
            return family
    raise ModelError(f"no model family {name!r}; known: {', '.join(family.name for family in FAMILIES)}")


def of_type(model_type: str) -> Family:
    """Return the family of a checkpoint's `model_type`.

    Raises:
        ModelError: no family reads this type.
    """
    for family in FAMILIES:
        if model_type in family.types:
            return family
    known = ", ".join(kind for family in FAMILIES for kind in family.types)
    raise ModelError(
        f"no family reads checkpoints of the type {model_type!r} (known: {known}); name one with --vlm-family, "
        "or serve the model and use endpoint:URL#MODEL"
    )

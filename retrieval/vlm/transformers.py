"""Any vision-language model with a class in transformers, run in this process as a `VisionLanguageModel`.

Knows transformers and torch; differences between families are in `families.py`. Does not know the library.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor
from transformers import TextStreamer

from ..errors import UsageError
from ..runtime import devices
from ..types.records import Box, Judgement, Mask
from . import Ability, loading, masks, scoring, vision_cache
from .boxes import BoxFormat
from .families import Family, Scorer
from .messages import ImagePart, Message, Part, TextPart, VideoPart

if TYPE_CHECKING:
    from PIL.Image import Image

Inputs = dict[str, Any]
SHORT, LONG, OUTLINE = 48, 256, 1024  # maximum tokens: captions; answers and boxes; polygons


@dataclass
class Transformers:
    """A loaded model with its processor; `batch` pictures are processed together."""

    name: str
    family: Family
    model: Any
    processor: Any
    device: torch.device
    identity: str
    batch: int = 4
    heard: Callable[[str], None] | None = None  # callback for the pieces of a streamed answer

    @classmethod
    def load(
        cls, spelling: str, device: str = "auto", precision: str = "auto", family: str = "", remote_code: str = ""
    ) -> Self:
        """Load a checkpoint from the hub's cache or a folder; nothing is downloaded.

        `family` overrides the checkpoint's type; `remote_code` is the revision (40 hexadecimal digits) of a repository
        whose own Python code may run.

        Raises:
            ModelError: the name, type or family is unknown, or the checkpoint cannot be loaded.
            ModelUnavailable: the model is not on this machine.
        """
        place = devices.choose_device(device)
        found = loading.load(spelling, family, remote_code, devices.choose_precision(precision, place))
        model = found.model.to(place).eval().requires_grad_(False)
        vision_cache.keep(model)
        return cls(found.name, found.family, model, found.processor, place, f"{found.name}@{found.fingerprint}")

    @property
    def weight(self) -> float:
        """The weight fitted for its family."""
        return self.family.weight

    @property
    def abilities(self) -> frozenset[Ability]:
        """What models of its family can do."""
        return self.family.abilities

    def streaming(self, heard: Callable[[str], None]) -> Self:
        """Return a copy that streams its answers; with beam search, which cannot stream, the model itself."""
        beams = self.model.generation_config.num_beams or 1
        return self if beams > 1 else replace(self, heard=heard, batch=1)

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text."""
        tokenizer = getattr(self.processor, "tokenizer", self.processor)
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    # --- the contract --------------------------------------------------------------------------------------

    def chat(self, messages: Sequence[Message], limit: int = LONG) -> str:
        """See `VisionLanguageModel.chat`."""
        self._must(Ability.CHAT)
        return self._generate([list(messages)], limit)[0]

    def caption(self, images: Sequence[Image]) -> list[str]:
        """See `VisionLanguageModel.caption`."""
        self._must(Ability.CAPTION)
        asked = [[self.family.asked(self.family.caption, [image])] for image in images]
        return [_one_line(text) for text in self._generate(asked, SHORT)]

    def answer(self, images: Sequence[Image], question: str) -> str:
        """See `VisionLanguageModel.answer`."""
        self._must(Ability.ANSWER)
        return self._generate([[self.family.asked(self.family.answer, images, question=self._words(question))]], LONG)[
            0
        ]

    def judge(self, query: str, images: Sequence[Image]) -> list[Judgement]:
        """See `VisionLanguageModel.judge`."""
        self._must(Ability.JUDGE)
        found: list[Judgement] = []
        for some in _pieces(images, self.batch):
            found += self._judge(query, some)
        return found

    def verify(self, question: str, images: Sequence[Image]) -> list[Judgement]:
        """See `VisionLanguageModel.verify`."""
        self._must(Ability.ANSWER)
        found: list[Judgement] = []
        for some in _pieces(images, self.batch):
            inputs = self._inputs([self.family.verifying(image, self._words(question)) for image in some])
            found += scoring.by_words(self._first_logits(inputs), *self._yes_and_no)
        return found

    def ground(self, image: Image, phrase: str) -> list[Box]:
        """See `VisionLanguageModel.ground`."""
        self._must(Ability.GROUND)
        if self.family.boxes is None:
            return masks.around(self.segment(image, phrase), phrase)
        asked = [[self.family.asked(self.family.ground, [image], phrase=self._words(phrase))]]
        inputs = self._inputs(asked)
        text = self._run(inputs, LONG, skip_special=not self.family.special, whole=self.family.special)[0]
        return self.family.boxes(BoxFormat(text, phrase, image.size, self._seen(inputs, image), self.processor))

    def segment(self, image: Image, phrase: str) -> Mask:
        """See `VisionLanguageModel.segment`."""
        self._must(Ability.SEGMENT)
        inputs = self._inputs([[self.family.asked(self.family.segment, [image], phrase=self._words(phrase))]])
        if not self.family.heat:
            return masks.from_polygons(self._run(inputs, OUTLINE, skip_special=False)[0], image.size)
        with torch.inference_mode():
            logits = self.model(**inputs).logits
        return masks.from_logits(logits.squeeze(0).float().cpu().numpy(), image.size)

    def _must(self, ability: Ability) -> None:
        if ability not in self.abilities:
            can = ", ".join(sorted(self.abilities))
            raise UsageError(
                f"{self.name} ({self.family.name}) cannot do `{ability}`; it can: {can}. "
                "`retrieval vlms` lists models and what they can do"
            )

    # --- prompts -------------------------------------------------------------------------------------------

    def _inputs(self, conversations: Sequence[Sequence[Message]]) -> Inputs:
        """Return a padded batch on the device, made by the family's processor."""
        fitting = [self.family.fitting(messages, video=self.family.video) for messages in conversations]
        made = self._from_template(fitting) if self.family.template else self._from_text(fitting)
        made.pop("labels", None)
        kind = self.model.dtype
        return {
            name: value.to(self.device, kind if value.is_floating_point() else None)
            for name, value in made.items()
            if isinstance(value, Tensor)
        }

    def _from_template(self, conversations: Sequence[Sequence[Message]]) -> Inputs:
        videos = [
            part for messages in conversations for m in messages for part in m.parts if isinstance(part, VideoPart)
        ]
        options: dict[str, Any] = {"padding": True, "padding_side": self.family.padding}
        if videos:
            options |= {"do_sample_frames": False, "video_metadata": [_metadata(video) for video in videos]}
        made: Inputs = self.processor.apply_chat_template(
            [[self._as_dict(message) for message in messages] for messages in conversations],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            sanitize_control_tokens=self.family.sanitizes,  # a placeholder in the user's words stays plain text
            processor_kwargs=options,
        )
        return made

    def _as_dict(self, message: Message) -> dict[str, Any]:
        """Return a message as the processors' templates expect it."""
        parts = message.parts
        if not self.family.sanitizes:
            parts = tuple(TextPart(self._harmless(p.text)) if isinstance(p, TextPart) else p for p in parts)
        return {"role": message.role, "content": [_part_as_dict(part) for part in parts]}

    def _from_text(self, conversations: Sequence[Sequence[Message]]) -> Inputs:
        """Return the inputs for processors without a chat template: the text is the prompt."""
        texts, images = [], []
        for messages in conversations:
            parts = [part for message in messages for part in message.parts]
            texts.append("".join(part.text if isinstance(part, TextPart) else self.family.picture for part in parts))
            images.append([part.image for part in parts if isinstance(part, ImagePart)])
        flat = images if self.family.images > 1 else [image for each in images for image in each]
        made: Inputs = self.processor(
            images=flat or None, text=texts, return_tensors="pt", padding=True, padding_side=self.family.padding
        )
        return made

    # --- answers -------------------------------------------------------------------------------------------

    def _generate(self, conversations: Sequence[Sequence[Message]], limit: int) -> list[str]:
        found: list[str] = []
        for some in _pieces(conversations, self.batch):
            found += self._run(self._inputs(some), limit)
        return found

    @torch.inference_mode()
    def _run(self, inputs: Inputs, limit: int, *, skip_special: bool = True, whole: bool = False) -> list[str]:
        """Generate greedily; `whole` keeps the prompt in the output, where the box notation needs it."""
        more = {"streamer": _Streamer(self.processor.tokenizer, self.heard)} if self.heard else {}
        rows = self.model.generate(**inputs, max_new_tokens=limit, do_sample=False, **more)
        if not self.family.encodes and not whole:
            rows = rows[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = self.processor.batch_decode(rows, skip_special_tokens=skip_special)
        return [text.strip() for text in texts]

    def _seen(self, inputs: Inputs, image: Image) -> tuple[int, int]:
        """Return the model's input size, (width, height) in pixels, from the grid of patches if there is one."""
        grid = inputs.get("image_grid_thw")
        if grid is None:
            return image.size
        patch = self.processor.image_processor.patch_size
        _, rows, columns = grid[0].tolist()
        return columns * patch, rows * patch

    # --- verdicts ------------------------------------------------------------------------------------------

    def _judge(self, query: str, images: Sequence[Image]) -> list[Judgement]:
        family = self.family
        if family.scorer is Scorer.LIKELIHOOD:
            unseen = self._likelihood(query, [_nothing(image) for image in images])
            return scoring.by_likelihood(self._likelihood(query, images), unseen)
        inputs = self._inputs([family.judging(image, self._words(query)) for image in images])
        if family.scorer is Scorer.HEAD:
            return [Judgement(value) for value in self.model.verdicts(inputs).tolist()]
        return scoring.by_words(self._first_logits(inputs), *self._yes_and_no)

    @functools.cached_property
    def _yes_and_no(self) -> tuple[list[int], list[int]]:
        yes, no = (scoring.tokens_saying(self.processor.tokenizer, words) for words in self.family.words)
        return yes, no

    @torch.inference_mode()
    def _first_logits(self, inputs: Inputs) -> Tensor:
        """Return the first answer token's raw logits, (n, vocabulary); `generate` sets positions and decoder starts."""
        made = self.model.generate(
            **inputs, max_new_tokens=1, do_sample=False, num_beams=1, return_dict_in_generate=True, output_logits=True
        )
        found: Tensor = made.logits[0]
        return found

    @torch.inference_mode()
    def _likelihood(self, query: str, images: Sequence[Image]) -> Tensor:
        """Return the mean log-probability per token of `query` as the answer about each picture, (n,)."""
        inputs = self._inputs([[self.family.asked(self.family.judge, [image])] for image in images])
        words = self.processor.tokenizer(" " + self._harmless(query), add_special_tokens=False).input_ids
        target = torch.tensor([words] * len(inputs["input_ids"]), device=self.device)
        if self.family.encodes:
            return scoring.log_likelihood(self.model(**inputs, labels=target).logits, target)
        prompt = inputs["input_ids"].shape
        for name, value in inputs.items():
            if value.shape[:2] == prompt and name != "input_ids":  # masks and token types, one per prompt token
                filler = torch.full_like(target, int(name == "attention_mask")).to(value.dtype)
                inputs[name] = torch.cat([value, filler], dim=1)
        inputs["input_ids"] = torch.cat([inputs["input_ids"], target], dim=1)
        logits = self.model(**inputs, logits_to_keep=target.shape[1] + 1).logits[:, :-1]
        return scoring.log_likelihood(logits, target)

    def _words(self, text: str) -> str:
        """Return the user's words for a prompt; without a chat template, control tokens are removed here."""
        return text if self.family.template else self._harmless(text)

    def _harmless(self, text: str) -> str:
        """Return the user's words without the model's control tokens."""
        for token in self.processor.tokenizer.get_added_vocab():
            text = text.replace(token, " ")
        return text


class _Streamer(TextStreamer):
    """Passes on generated text word by word, without the prompt."""

    def __init__(self, tokenizer: Any, heard: Callable[[str], None]) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.heard = heard

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:  # noqa: ARG002  # inherited
        """Pass on a piece of text that no longer changes."""
        if text:
            self.heard(text)


def _part_as_dict(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "image", "image": part.image}
    return {"type": "video", "video": list(part.frames)}


def _metadata(video: VideoPart) -> Any:
    """Return frame times for the processors, which would otherwise assume 24 frames a second."""
    from transformers.video_utils import VideoMetadata

    count, length = len(video.frames), (video.seconds[-1] if video.seconds else 0.0)
    rate = 10.0  # frames a second: times are given to a tenth of a second
    places = [round(second * rate) for second in video.seconds]
    width, height = video.frames[0].size
    return VideoMetadata(
        total_num_frames=max(count, places[-1] + 1),
        fps=rate,
        frames_indices=places,
        duration=length,
        width=width,
        height=height,
    )


def _nothing(image: Image) -> Image:
    """Return a grey picture of the same size."""
    from PIL import Image as Pictures

    return Pictures.new("RGB", image.size, (128, 128, 128))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _pieces(values: Sequence[Any], size: int) -> list[list[Any]]:
    rest = iter(values)
    return list(iter(lambda: list(islice(rest, size)), []))

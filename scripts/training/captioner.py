"""The built-in captioner as transformers builds it: LLaVA with the encoder's trunk as its eye, and its tokenizer.

Knows configurations and layouts; does not know training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor, nn

from retrieval.vlm.builtin_vision import BuiltinVisionConfig

WIDTH, HEADS, SIDE, FEATURES = 256, 4, 4, 1280
PICTURE = SIDE * SIDE + 1  # tokens that stand for a picture
BEAMS = 3  # captions that are followed at a time while one is written
IMAGE, START, END = "<image>", "<start_of_text>", "<end_of_text>"


def tokenizer(words: SimpleTokenizer) -> Any:
    """The encoder's vocabulary as a tokenizer of transformers, with a token for pictures and one for "yes".

    Every text gets a start.
    """
    from tokenizers import AddedToken, decoders, processors
    from transformers import CLIPTokenizer, PreTrainedTokenizerFast

    clip: Any = CLIPTokenizer
    fast: Any = PreTrainedTokenizerFast
    merges = sorted(words.bpe_ranks, key=words.bpe_ranks.__getitem__)
    inner = clip(vocab=dict(words.encoder), merges=merges).backend_tokenizer
    start = (START, words.encoder[START])
    inner.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace("</w>", " ")])
    inner.post_processor = processors.TemplateProcessing(single=f"{START} $A", special_tokens=[start])
    found = fast(tokenizer_object=inner, bos_token=START, eos_token=END, pad_token=END, padding_side="left")
    if len(inner.encode("yes").ids) > 2:  # captions never say it, questions want it as one token
        found.add_tokens([AddedToken("yes", single_word=True)])
    found.add_tokens([AddedToken(IMAGE, special=True, normalized=False)])
    return found


def build(words: Any, encoder: Any, layers: int, image_size: int) -> Any:
    """A new captioner: the eye and the words of the encoder, the rest random. `words` is what `tokenizer` gives."""
    from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    text = LlamaConfig(
        vocab_size=len(words), hidden_size=WIDTH, intermediate_size=704, num_hidden_layers=layers,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=256, attention_dropout=0.1,
        bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
        tie_word_embeddings=True,
    )  # fmt: skip
    vision = BuiltinVisionConfig(hidden_size=FEATURES, side=SIDE, image_size=image_size)
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=words.convert_tokens_to_ids(IMAGE),
        image_seq_length=PICTURE, vision_feature_layer=-1, vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )  # fmt: skip
    model: Any = LlavaForConditionalGeneration(config)
    model.model.vision_tower.trunk.load_state_dict(encoder.visual.trunk.state_dict())
    with torch.no_grad():
        table = model.get_input_embeddings().weight
        known = encoder.token_embedding.weight
        table[: len(known)] = known * (table.std() / known.std())
    return model


def processor(words: Any, image_size: int) -> Any:
    """What turns a picture and a prompt into inputs, as the encoder prepares its pictures."""
    from transformers import CLIPImageProcessor, LlavaProcessor

    half, size = [128 / 255] * 3, {"height": image_size, "width": image_size}
    images: Any = CLIPImageProcessor(size=size, do_center_crop=False, image_mean=half, image_std=half, resample=3)
    make: Any = LlavaProcessor
    return make(
        images,
        words,
        patch_size=image_size // SIDE,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=1,
    )


def export(model: Any, words: Any, image_size: int, folder: Path) -> None:
    """Write the model in float16 with its processor."""
    import copy

    half = copy.deepcopy(model).half()
    half.generation_config.update(num_beams=BEAMS, no_repeat_ngram_size=3, early_stopping=True)
    half.save_pretrained(folder)
    processor(words, image_size).save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)


def restore(model: Any, folder: Path) -> None:
    """Give `model` the weights that `export` wrote into `folder`, of the same configuration."""
    from transformers import LlavaForConditionalGeneration

    model.load_state_dict(LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).state_dict())


def encoder_of(folder: Path) -> tuple[Any, SimpleTokenizer]:
    """The built-in encoder as it was exported, and its words."""
    model: Any = open_clip.create_model(f"local-dir:{folder}", require_pretrained=True)
    model = model.float().eval().requires_grad_(False)
    return model, SimpleTokenizer(bpe_path=str(folder / "bpe.txt.gz"), context_length=model.context_length)


class Eye(nn.Module):
    """(n, 96, 14, 14) activations of the lower half, or (n, 3, size, size) pixels -> (n, 17, 1280) raw tokens."""

    def __init__(self, lower: nn.Module | None, upper: nn.Module, grid: int) -> None:
        super().__init__()
        self.lower, self.upper, self.grid = lower, upper, grid

    def forward(self, seen: Tensor) -> Tensor:
        """See the class; activations are stretched to the grid that pictures of the finished size give."""
        if self.lower is not None:
            seen = self.lower(seen)
        elif seen.shape[-1] != self.grid:
            seen = nn.functional.interpolate(seen, size=(self.grid, self.grid), mode="bilinear", align_corners=False)
        cells = self.upper(seen.contiguous(memory_format=torch.channels_last))
        small = nn.functional.adaptive_avg_pool2d(cells, SIDE).flatten(2).transpose(1, 2)
        return torch.cat([small, cells.mean((2, 3))[:, None]], dim=1)

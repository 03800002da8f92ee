"""Tiny random checkpoints of every family that transformers has, from the real configuration classes."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

tf: Any = importlib.import_module("transformers")  # its annotations do not cover what its classes take

WORDS = [
    "Yes No yes no True False true false a photo of a cat and a dog on the red sofa. USER: ASSISTANT: Answer",
    "Question: what is shown? Describe this picture in one short sentence 0123456789 <>/_,.()[]{}:\"'",
] * 20
TEXT = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip
VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2}

# --- tokenizers: byte-level as GPT and Qwen have them, or with "▁" for spaces as Llama has them ---------------------


def tokenizer(
    specials: Sequence[str] = (), names: dict[str, str] | None = None, kind: str = "bytes", **ends: Any
) -> Any:
    ends = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"} | ends
    base = [token for token in ends.values() if token]
    words = Tokenizer(models.BPE(unk_token=ends["unk_token"], byte_fallback=kind != "bytes"))
    if kind == "bytes":
        words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        words.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=520, special_tokens=base, initial_alphabet=alphabet)
    else:
        if kind == "legacy":  # Llama 1 and Fuyu: a space is put in front of an added token, too
            steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
            words.normalizer = normalizers.Sequence(steps)
        else:
            words.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
        back = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        words.decoder = decoders.Sequence(back)
        trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=base + [f"<0x{n:02X}>" for n in range(256)])
    words.train_from_iterator(WORDS, trainer)
    found = fast(words, ends, **({"extra_special_tokens": names} if names else {}))
    found.add_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    return found


def fast(words: Tokenizer, ends: dict[str, Any], **more: Any) -> Any:
    make: Any = tf.PreTrainedTokenizerFast
    return make(tokenizer_object=words, padding_side="left", model_max_length=8192, **ends, **more)


def llama(tokens: Any, kind: str = "llama") -> dict[str, Any]:
    return {
        "model_type": kind, "vocab_size": len(tokens), "max_position_embeddings": 8192, **ends_of(tokens), **TEXT,
    }  # fmt: skip


def ends_of(tokens: Any) -> dict[str, Any]:
    return {
        "bos_token_id": tokens.bos_token_id, "eos_token_id": tokens.eos_token_id, "pad_token_id": tokens.pad_token_id,
    }  # fmt: skip


# --- chat templates, as the real checkpoints have them ----------------------------------------------------------------

LLAVA = (
    "{% for m in messages %}{% if m['role'] != 'system' %}{{ m['role'].upper() + ': ' }}{% endif %}"
    "{% for c in m['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for c in m['content'] | selectattr('type', 'equalto', 'text') %}{{ c['text'] + ' ' }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
MISTRAL = (
    "{% for m in messages %}{% if m['role'] == 'system' %}"
    "{% for c in m['content'] %}{{ '<<SYS>>\n' + c['text'] + '\n<</SYS>>\n\n' }}{% endfor %}"
    "{% elif m['role'] == 'user' %}{{ '[INST] ' }}{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "{{ '<image>\n' }}{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{{ ' [/INST]' }}"
    "{% else %}{{ ' ' }}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}{{ '</s>' }}{% endif %}{% endfor %}"
)
SMOL = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}"
    "{% if m['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}{% for c in m['content'] %}"
    "{% if c['type'] == 'text' %}{{ c['text'] }}{% elif c['type'] == 'image' %}{{ '<image>' }}"
    "{% elif c['type'] == 'video' %}{{ '<video>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
DEEPSEEK = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}"
    "{{ '\n\n' }}{% else %}{{ m['role'] | capitalize + ': ' }}{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "{{ '<image_placeholder>' }}{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    "{{ '\n\n' if m['role'] == 'user' else eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
QWEN = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{% elif c['type'] == 'video' %}{{ VIDEO }}"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN2 = QWEN.replace("VIDEO", "'<|vision_start|><|video_pad|><|vision_end|>'")
QWEN3 = QWEN.replace("VIDEO", "'<|video_pad|>'")

# --- the families -----------------------------------------------------------------------------------------------------

Pair = tuple[Any, Any]


def llava() -> Pair:
    tokens = tokenizer(["<image>"], kind="spaces")
    return tf.LlavaForConditionalGeneration(_llava_config(tf.LlavaConfig, tokens)), _llava_processor(tokens)


def _llava_config(kind: Any, tokens: Any) -> Any:
    vision = {"model_type": "clip_vision_model", "image_size": 28, "patch_size": 14, "projection_dim": 32, **VISION}
    image = tokens.convert_tokens_to_ids("<image>")
    return kind(vision_config=vision, text_config=llama(tokens), image_token_index=image, image_seq_length=4)


def _llava_processor(tokens: Any) -> Any:
    images = tf.CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    return tf.LlavaProcessor(
        images, tokens, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=LLAVA,
    )  # fmt: skip


def yi_vl() -> Pair:
    from retrieval.vlm.yi import YiVLConfig, YiVLForConditionalGeneration

    tokens = tokenizer(["<image>"], kind="spaces")
    return YiVLForConditionalGeneration(_llava_config(YiVLConfig, tokens)), _llava_processor(tokens)


def llava_next() -> Pair:
    tokens = tokenizer(["<image>"], kind="spaces")
    pins = [[28, 56], [56, 28], [56, 56]]
    vision = {"model_type": "clip_vision_model", "image_size": 28, "patch_size": 14, "projection_dim": 32, **VISION}
    config = tf.LlavaNextConfig(
        vision_config=vision, text_config=llama(tokens, "mistral"), image_grid_pinpoints=pins, image_seq_length=4,
        image_token_index=tokens.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    images = tf.LlavaNextImageProcessor(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, image_grid_pinpoints=pins
    )
    processor = tf.LlavaNextProcessor(
        images, tokens, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=MISTRAL,
    )  # fmt: skip
    return tf.LlavaNextForConditionalGeneration(config), processor


def deepseek_vl() -> Pair:
    tokens = tokenizer(["<image_placeholder>"], names={"image_token": "<image_placeholder>"})
    config = tf.DeepseekVLConfig(
        vision_config={"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 16, **VISION},
        text_config=llama(tokens), image_token_id=tokens.convert_tokens_to_ids("<image_placeholder>"),
    )  # fmt: skip
    images = tf.DeepseekVLImageProcessor(size={"height": 32, "width": 32})
    processor = tf.DeepseekVLProcessor(images, tokens, chat_template=DEEPSEEK, num_image_tokens=4)
    return tf.DeepseekVLForConditionalGeneration(config), processor


def deepseek_vl_hybrid() -> Pair:
    """What the 7B models are."""
    tokens = tokenizer(["<image_placeholder>"], names={"image_token": "<image_placeholder>"})
    high = {
        "model_type": "sam_vision_model", "image_size": 256, "patch_size": 16, "hidden_size": 32, "mlp_dim": 48,
        "num_hidden_layers": 3, "num_attention_heads": 2, "output_channels": 16, "global_attn_indexes": [1, 2],
        "window_size": 4,
    }  # fmt: skip
    config = tf.DeepseekVLHybridConfig(
        vision_config={"model_type": "siglip_vision_model", "image_size": 64, "patch_size": 16, **VISION},
        high_res_vision_config=high, text_config=llama(tokens),
        image_token_id=tokens.convert_tokens_to_ids("<image_placeholder>"),
    )  # fmt: skip
    images = tf.DeepseekVLHybridImageProcessor(
        size={"height": 64, "width": 64}, high_res_size={"height": 256, "width": 256}
    )
    processor = tf.DeepseekVLHybridProcessor(images, tokens, chat_template=DEEPSEEK, num_image_tokens=16)
    return tf.DeepseekVLHybridForConditionalGeneration(config), processor


def fuyu() -> Pair:
    """|SPEAKER| and |NEWLINE| are plain words of the vocabulary, as in the real checkpoint."""
    ends = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    written = json.loads(tokenizer(kind="legacy").backend_tokenizer.to_str())
    for word in ("|SPEAKER|", "|NEWLINE|", "|ENDOFTEXT|"):
        written["model"]["vocab"][word] = len(written["model"]["vocab"])
    written["model"]["ignore_merges"] = True
    pattern = {"Regex": r"\|SPEAKER\||\|NEWLINE\||<0x0[0-4]>|▁?[^|▁<]+"}
    written["pre_tokenizer"] = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
    tokens = fast(Tokenizer.from_str(json.dumps(written)), ends)
    text = {
        "model_type": "persimmon", "vocab_size": len(tokens), "max_position_embeddings": 2048, "hidden_size": 64,
        "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "partial_rotary_factor": 0.5,
        "eos_token_id": tokens.eos_token_id,
    }  # fmt: skip
    speaker = tokens.convert_tokens_to_ids("|SPEAKER|")
    config = tf.FuyuConfig(text_config=text, patch_size=8, image_size=32, image_token_id=speaker)
    images = tf.FuyuImageProcessor(size={"height": 32, "width": 48}, patch_size={"height": 8, "width": 8})
    return tf.FuyuForCausalLM(config), tf.FuyuProcessor(images, tokens)


def kosmos2() -> Pair:
    tokens = tokenizer()
    images = tf.CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor = tf.Kosmos2Processor(images, tokens)
    text = {
        "vocab_size": len(processor.tokenizer), "max_position_embeddings": 512, "embed_dim": 64, "layers": 2,
        "ffn_dim": 96, "attention_heads": 4, **ends_of(tokens),
    }  # fmt: skip
    vision = {"image_size": 28, "patch_size": 14, **VISION, "num_hidden_layers": 2}
    config = tf.Kosmos2Config(text_config=text, vision_config=vision, latent_query_num=64)
    return tf.Kosmos2ForConditionalGeneration(config), processor


def _idefics_tokens(**more: str) -> Any:
    names = {
        "image_token": "<image>", "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>", "end_of_utterance_token": "<end_of_utterance>", **more,
    }  # fmt: skip
    rows = [f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)]
    return tokenizer(["<|im_start|>", *names.values(), *rows], names=names)


def _idefics_config(kind: Any, tokens: Any) -> Any:
    vision = {"image_size": 32, "patch_size": 8, **VISION}
    image = tokens.convert_tokens_to_ids("<image>")
    return kind(text_config=llama(tokens), vision_config=vision, scale_factor=2, image_token_id=image)


def smolvlm() -> Pair:
    tokens = _idefics_tokens(video_token="<video>")
    images = tf.SmolVLMImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    video = tf.SmolVLMVideoProcessor(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, num_frames=4, fps=1
    )
    processor = tf.SmolVLMProcessor(images, tokens, video, image_seq_len=4, chat_template=SMOL)
    return tf.SmolVLMForConditionalGeneration(_idefics_config(tf.SmolVLMConfig, tokens)), processor


def idefics3() -> Pair:
    tokens = _idefics_tokens()
    images = tf.Idefics3ImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    processor = tf.Idefics3Processor(images, tokens, image_seq_len=4, chat_template=SMOL)
    return tf.Idefics3ForConditionalGeneration(_idefics_config(tf.Idefics3Config, tokens)), processor


def qwen_tokens() -> Any:
    specials = (
        "<|im_start|> <|im_end|> <|vision_start|> <|vision_end|> <|image_pad|> <|video_pad|> <|box_start|> <|box_end|> "
        "<|object_ref_start|> <|object_ref_end|>"
    ).split()
    return tokenizer(specials, bos_token=None, eos_token="<|endoftext|>", pad_token="<|endoftext|>")


def _qwen_ids(tokens: Any) -> dict[str, int]:
    marks = ("image_pad", "video_pad", "vision_start", "vision_end")
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    return {name: tokens.convert_tokens_to_ids(f"<|{mark}|>") for name, mark in zip(names, marks, strict=True)}


def _qwen_text(tokens: Any, **more: Any) -> dict[str, Any]:
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]}
    end = tokens.convert_tokens_to_ids("<|im_end|>")
    return {
        "vocab_size": len(tokens), "max_position_embeddings": 4096, "rope_parameters": rope, "bos_token_id": None,
        "eos_token_id": end, "pad_token_id": tokens.pad_token_id, **TEXT, **more,
    }  # fmt: skip


def qwen2_vl(model: Any = tf.Qwen2VLForConditionalGeneration) -> Pair:
    tokens = qwen_tokens()
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "mlp_ratio": 2, "patch_size": 14}
    config = tf.Qwen2VLConfig(text_config=_qwen_text(tokens), vision_config=vision, **_qwen_ids(tokens))
    images = tf.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 84 * 84})
    video = tf.Qwen2VLVideoProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 56 * 56})
    return model(config), tf.Qwen2VLProcessor(images, tokens, video, chat_template=QWEN2)


def jina() -> Pair:
    from retrieval.vlm.jina import JinaReranker

    return qwen2_vl(JinaReranker)


def qwen2_5_vl() -> Pair:
    tokens = qwen_tokens()
    vision = {
        "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64,
        "fullatt_block_indexes": [1], "patch_size": 14, "window_size": 56,
    }  # fmt: skip
    config = tf.Qwen2_5_VLConfig(text_config=_qwen_text(tokens), vision_config=vision, **_qwen_ids(tokens))
    images = tf.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 84 * 84})
    video = tf.Qwen2VLVideoProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 56 * 56})
    processor = tf.Qwen2_5_VLProcessor(images, tokens, video, chat_template=QWEN2)
    return tf.Qwen2_5_VLForConditionalGeneration(config), processor


def qwen3_vl() -> Pair:
    tokens = qwen_tokens()
    text = _qwen_text(tokens, head_dim=16)
    text["rope_parameters"]["mrope_interleaved"] = True
    vision = {
        "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64,
        "patch_size": 16, "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
    }  # fmt: skip
    config = tf.Qwen3VLConfig(text_config=text, vision_config=vision, **_qwen_ids(tokens))
    half, sizes = [0.5] * 3, {"shortest_edge": 32 * 32, "longest_edge": 96 * 96}
    images = tf.Qwen2VLImageProcessor(patch_size=16, image_mean=half, image_std=half, size=sizes)
    video = tf.Qwen3VLVideoProcessor(patch_size=16, size={"shortest_edge": 32 * 32, "longest_edge": 64 * 64 * 4})
    return tf.Qwen3VLForConditionalGeneration(config), tf.Qwen3VLProcessor(images, tokens, video, chat_template=QWEN3)


def paligemma() -> Pair:
    tokens = tokenizer(["<image>"], names={"image_token": "<image>"}, bos_token="<bos>", eos_token="<eos>")
    images = tf.SiglipImageProcessor(size={"height": 28, "width": 28})
    images.image_seq_length = 4
    processor = tf.PaliGemmaProcessor(images, tokens)
    size = len(processor.tokenizer)
    text = {
        "model_type": "gemma", "vocab_size": size, "head_dim": 16, "max_position_embeddings": 1024, **ends_of(tokens),
        **TEXT,
    }  # fmt: skip
    vision = {
        "model_type": "siglip_vision_model", "image_size": 28, "patch_size": 14, "vision_use_head": False, **VISION,
    }  # fmt: skip
    config = tf.PaliGemmaConfig(
        vision_config=vision, text_config=text, image_token_index=processor.image_token_id, vocab_size=size,
        projection_dim=64, hidden_size=64,
    )  # fmt: skip
    return tf.PaliGemmaForConditionalGeneration(config), processor


def florence2() -> Pair:
    marks = "<image> <od> </od> <ocr> </ocr> <poly> </poly> <sep>".split()
    tokens = tokenizer([*marks, *(f"<loc_{n}>" for n in range(1000))], names={"image_token": "<image>"})
    images = tf.CLIPImageProcessor(
        size={"height": 64, "width": 64}, do_center_crop=False, crop_size={"height": 64, "width": 64}
    )
    images.image_seq_length = 65
    parsing = {"pattern": r"([a-zA-Z0-9 ]+)<loc_(\\d+)><loc_(\\d+)><loc_(\\d+)><loc_(\\d+)>"}
    tasks = {"phrase_grounding": {}, "description_with_bboxes": parsing, "pure_text": {}}
    processor = tf.Florence2Processor(images, tokens, post_processor_config=tasks)
    processor.num_image_tokens = 65
    vision = {
        "depths": [1, 1], "patch_size": [7, 3], "patch_stride": [4, 2], "patch_padding": [3, 1],
        "patch_prenorm": [False, True], "embed_dim": [16, 32], "num_heads": [2, 2], "num_groups": [2, 2],
        "window_size": 4, "projection_dim": 64, "drop_path_rate": 0.0,
    }  # fmt: skip
    text = {
        "model_type": "bart", "vocab_size": len(tokens), "d_model": 64, "encoder_layers": 2, "decoder_layers": 2,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
        "max_position_embeddings": 1024, "decoder_start_token_id": tokens.eos_token_id,
        "forced_eos_token_id": tokens.eos_token_id, **ends_of(tokens),
    }  # fmt: skip
    image = tokens.convert_tokens_to_ids("<image>")
    config = tf.Florence2Config(vision_config=vision, text_config=text, image_token_id=image)
    return tf.Florence2ForConditionalGeneration(config), processor


def clipseg() -> Pair:
    end = "<|endoftext|>"
    tokens = tokenizer(bos_token="<|startoftext|>", eos_token=end, pad_token=end, unk_token=end)
    marks = {"bos_token_id": tokens.bos_token_id, "eos_token_id": tokens.eos_token_id}
    size = {"height": 64, "width": 64}
    processor = tf.CLIPSegProcessor(tf.ViTImageProcessor(size=size), tokens)
    small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = tf.CLIPSegConfig(
        text_config={"vocab_size": len(tokens), "max_position_embeddings": 77, **marks, **small},
        vision_config={"image_size": 64, "patch_size": 16, **small},
        projection_dim=32, extract_layers=[1, 2], reduce_dim=16, decoder_num_attention_heads=2,
        decoder_intermediate_size=32, conditional_layer=0,
    )  # fmt: skip
    return tf.CLIPSegForImageSegmentation(config), processor


# --- the table: a name for the test, the family that the product must choose, and how to build it ---------------------

FAMILIES: dict[str, tuple[str, Callable[[], Pair]]] = {
    "llava": ("LLaVA-1.5", llava),
    "llava-next": ("LLaVA-1.6", llava_next),
    "yi-vl": ("Yi-VL", yi_vl),
    "deepseek": ("DeepSeek-VL-chat", deepseek_vl),
    "deepseek-hybrid": ("DeepSeek-VL-chat", deepseek_vl_hybrid),
    "deepseek-base": ("DeepSeek-VL-base", deepseek_vl),
    "fuyu": ("Fuyu", fuyu),
    "kosmos2": ("KOSMOS-2", kosmos2),
    "idefics3": ("SmolVLM", idefics3),
    "smolvlm": ("SmolVLM2", smolvlm),
    "qwen2-vl": ("Qwen2-VL", qwen2_vl),
    "qwen2.5-vl": ("Qwen2.5-VL", qwen2_5_vl),
    "qwen3-vl": ("Qwen3-VL", qwen3_vl),
    "qwen3-vl-reranker": ("Qwen3-VL-Reranker", qwen3_vl),
    "jina": ("jina-reranker-m0", jina),
    "paligemma": ("PaliGemma", paligemma),
    "florence2": ("Florence-2", florence2),
    "clipseg": ("CLIPSeg", clipseg),
}
BY_NAME = {"DeepSeek-VL-base", "Qwen3-VL-Reranker", "jina-reranker-m0"}  # their type is another family's


def build(name: str, folder: Path) -> str:
    """Save a tiny checkpoint of a family; the family's name."""
    torch.manual_seed(0)
    family, make = FAMILIES[name]
    model, processor = make()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return family


def build_adapter(base: Path, folder: Path) -> None:
    """A LoRA of a checkpoint, as MonoQwen2-VL is one of Qwen2-VL; saved with its processor."""
    import peft

    torch.manual_seed(1)
    model = tf.AutoModelForImageTextToText.from_pretrained(base)
    with warnings.catch_warnings():  # peft calls what transformers has renamed
        warnings.simplefilter("ignore", FutureWarning)
        lora = peft.get_peft_model(
            model, peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        )
    lora.peft_config["default"].base_model_name_or_path = str(base)
    lora.save_pretrained(str(folder))
    tf.AutoProcessor.from_pretrained(base).save_pretrained(folder)

"""Vision-language models: captions a minute by batch size, and reranking 50 hits, cold and with what was seen kept.

    python benchmarks/vlm_speed.py [--at FOLDER] [--data FOLDER] [--write] [--quick]

The built-in model, and one of SmolVLM-256M's shape with random weights: it never ends a caption by itself, so that its
captions have the most tokens there may be, and its speed is the least.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.photos import DATA
from retrieval import Budget, Library, Settings, pictures
from retrieval.library import backends
from retrieval.vlm import IMAGE_SIZE

BATCHES = (1, 4, 16)
DEPTH = 50


def smol(folder: Path) -> str:
    """A checkpoint of SmolVLM-256M's shape, with random weights; made once. Its spelling."""
    place = folder / "smolvlm-256m"
    if not (place / "config.json").is_file():
        import torch
        import transformers

        from tests.vlm import tiny_vlm

        kinds: Any = transformers
        torch.manual_seed(0)
        tokens = tiny_vlm._idefics_tokens(video_token="<video>")
        text = {
            **tiny_vlm.llama(tokens), "vocab_size": 49280, "hidden_size": 576, "intermediate_size": 1536,
            "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
        }  # fmt: skip
        vision = {
            "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
            "image_size": 512, "patch_size": 16,
        }  # fmt: skip
        image = tokens.convert_tokens_to_ids("<image>")
        config = kinds.SmolVLMConfig(text_config=text, vision_config=vision, scale_factor=4, image_token_id=image)
        side = {"longest_edge": 512}
        images = kinds.SmolVLMImageProcessor(size=side, max_image_size=side)
        video = kinds.SmolVLMVideoProcessor(size=side, max_image_size=side, num_frames=4, fps=1)
        processor = kinds.SmolVLMProcessor(images, tokens, video, image_seq_len=64, chat_template=tiny_vlm.SMOL)
        kinds.SmolVLMForConditionalGeneration(config).to(torch.bfloat16).save_pretrained(place)  # as the real one is
        processor.save_pretrained(place)
    return f"local-dir:{place}"


def captions(settings: Settings, files: list[Path], batch: int) -> float:
    """Captions a minute."""
    model = backends.vlm(settings)
    images = [pictures.load(file, IMAGE_SIZE).image for file in files]
    model.caption(images[:1])

    def run() -> None:
        for start in range(0, len(images), batch):
            model.caption(images[start : start + batch])

    return 60 * len(images) / report.seconds(run)


def rerank(settings: Settings, files: list[Path], depth: int) -> tuple[float, float]:
    """Seconds to check the best hits of a query: pictures never looked at, and the same for another query."""
    with tempfile.TemporaryDirectory() as fresh, Library.create(Path(fresh) / "library", settings) as library:
        library.index(files)
        library.search("warm", k=1, rerank=Budget(depth=1, anyway=True))
        asked = ("a dog in the sun", "people in a street")
        budget = Budget(seconds=600, depth=depth, anyway=True)
        cold, warm = (report.seconds(lambda: library.search(q, k=depth, rerank=budget)) for q in asked)  # noqa: B023
        return cold, warm


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="the data sets for training and tests")
    found = parser.parse_args()
    files = sorted((found.data / "photos").glob("*.jpg"))
    rows: list[list[object]] = []
    models = {"built-in": ("builtin", 64, DEPTH)}
    if found.quick:
        models = {"built-in": ("builtin", 4, 4)}
    else:
        models["SmolVLM-256M's shape"] = (smol(found.at), 16, DEPTH)
    for name, (vlm, count, depth) in models.items():
        settings = Settings(model="builtin", vlm=vlm)
        speeds = [captions(settings, files[:count], batch) for batch in BATCHES]
        cold, warm = rerank(settings, files[:depth], depth)
        rows.append([f"retrieval, {name}", *speeds, depth, cold, warm])
    columns = ("model", *(f"captions a minute, {batch} at a time" for batch in BATCHES), "reranked", "cold s", "seen s")
    report.publish("vlm_speed", report.table(columns, rows), write=found.write)


if __name__ == "__main__":
    main()

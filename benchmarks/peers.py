"""The peers that are measured in the same run, on the same architecture and random weights (speed asks for no more).

rclip is found on the PATH or by --rclip; sentence-transformers and clip-retrieval run in --peer-python, an environment
of their own. What is not there is left out of the table. rclip's export needs the package `onnx` here.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

ARCHITECTURE = "ViT-B-32-256"  # what rclip 3 is made for
RCLIP_MODELS = Path(".local/share/rclip")
SENTENCES = """
import sys
from collections.abc import Iterable
from pathlib import Path
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import CLIPModel
model = SentenceTransformer(modules=[CLIPModel(sys.argv[1])])
files = sorted(Path(sys.argv[2]).iterdir())
for start in range(0, len(files), 32):
    model.encode([Image.open(file) for file in files[start : start + 32]], batch_size=32, show_progress_bar=False)
"""
TRANSFORMERS = """
import sys
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer
config = CLIPConfig()
config.vision_config.image_size = 256
CLIPModel(config).save_pretrained(sys.argv[1])
size = {"height": 256, "width": 256}
CLIPImageProcessor(size={"shortest_edge": 256}, crop_size=size).save_pretrained(sys.argv[1])
CLIPTokenizer(sys.argv[1] + "/vocab.json", sys.argv[1] + "/merges.txt").save_pretrained(sys.argv[1])
"""


Command: TypeAlias = tuple[list[str], dict[str, str], Path]  # with its environment and folder


def options(parser: argparse.ArgumentParser) -> None:
    """The peers' options of a benchmark."""
    parser.add_argument("--rclip", default=shutil.which("rclip"), help="the program rclip 3.3")
    parser.add_argument("--peer-python", help="a Python that has sentence-transformers and clip-retrieval")


def checkpoint(folder: Path, architecture: str = ARCHITECTURE) -> Path:
    """A model folder as open_clip saves it; made once."""
    place = folder / architecture
    if not (place / "open_clip_config.json").is_file():
        import open_clip
        import torch
        from safetensors.torch import save_file

        place.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        model = open_clip.create_model(architecture)
        state = {name: row.contiguous() for name, row in model.state_dict().items()}
        save_file(state, place / "open_clip_model.safetensors")
        cut = {name: model.visual.preprocess_cfg[name] for name in ("mean", "std", "interpolation", "resize_mode")}
        config = {"model_cfg": open_clip.get_model_config(architecture), "preprocess_cfg": cut}
        (place / "open_clip_config.json").write_text(json.dumps(config))
    return place


def rclip_home(folder: Path) -> Path:
    """A home folder with the same model, exported as rclip wants it; made once."""
    home = folder / "rclip-home"
    place = home / RCLIP_MODELS / f"{ARCHITECTURE}-datacomp_s34b_b86k"
    if not (place / "textual.onnx").is_file():
        import open_clip
        import torch

        place.mkdir(parents=True, exist_ok=True)
        (home / RCLIP_MODELS / "tokenizer").mkdir(exist_ok=True)
        shutil.copy(Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz", place.parent / "tokenizer")
        model = open_clip.create_model(f"local-dir:{checkpoint(folder)}").eval()
        text = torch.nn.Module()
        text.forward = model.encode_text
        text.model = model
        torch.backends.mha.set_fastpath_enabled(False)  # ONNX has no such operator
        axes = {"input": {0: "batch"}, "output": {0: "batch"}}
        tokens = open_clip.tokenize(["a dog", "a cat"])
        for name, module, sample in (("visual", model.visual, torch.rand(2, 3, 256, 256)), ("textual", text, tokens)):
            torch.onnx.export(
                module, (sample,), str(place / f"{name}.onnx"), input_names=["input"], output_names=["output"],
                dynamic_axes=axes, opset_version=18, dynamo=False,
            )  # fmt: skip
    return home


def fill_rclip(home: Path, rows: Iterable[tuple[str, float, int, bytes]]) -> None:
    """rclip's database, of version 4, with these: path, time, size and vector of each."""
    database = home / RCLIP_MODELS / "db.sqlite3"
    database.unlink(missing_ok=True)
    connection = sqlite3.connect(database)
    connection.execute(
        "CREATE TABLE images (id INTEGER PRIMARY KEY, deleted BOOLEAN, filepath TEXT NOT NULL UNIQUE, "
        "modified_at DATETIME NOT NULL, size INTEGER NOT NULL, vector BLOB NOT NULL, indexing BOOLEAN, hash TEXT)"
    )
    connection.execute("CREATE UNIQUE INDEX existing_images ON images(filepath) WHERE deleted IS NULL")
    connection.execute("CREATE INDEX hash_index ON images(hash) WHERE deleted IS NULL")
    connection.execute("CREATE TABLE db_version (version INTEGER)")
    connection.execute("INSERT INTO db_version VALUES (4)")
    statement = "INSERT INTO images (filepath, modified_at, size, vector, hash) VALUES (?1, ?2, ?3, ?4, ?1)"
    connection.executemany(statement, rows)
    connection.commit()
    connection.close()


def transformers_model(folder: Path, python: str) -> Path:
    """The same architecture as transformers has it, made by the peer's own Python; made once."""
    place = folder / "transformers"
    if not (place / "tokenizer_config.json").is_file():
        from open_clip.tokenizer import SimpleTokenizer

        place.mkdir(parents=True, exist_ok=True)
        tokenizer = SimpleTokenizer()
        (place / "vocab.json").write_text(json.dumps(tokenizer.encoder))
        merges = sorted(tokenizer.bpe_ranks, key=lambda pair: tokenizer.bpe_ranks[pair])
        (place / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, merges)) + "\n")
        done = subprocess.run([python, "-c", TRANSFORMERS, str(place)], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr[-2000:])
    return place


def commands(found: argparse.Namespace, folder: Path, photos: Path, part: Path) -> dict[str, Command]:
    """What to run for each peer that is there, its environment and folder: rclip on all photos, others on `part`."""
    known: dict[str, Command] = {}
    if found.rclip:
        home = rclip_home(folder)
        (home / RCLIP_MODELS / "db.sqlite3").unlink(missing_ok=True)
        known["rclip 3.3"] = [found.rclip, "-t", "1", "a dog"], {**os.environ, "HOME": str(home)}, photos
    if found.peer_python:
        sentences = [
            found.peer_python,
            "-c",
            SENTENCES,
            str(transformers_model(folder, found.peer_python)),
            str(part),
        ]
        known["sentence-transformers"] = sentences, {**os.environ}, folder
        weights = checkpoint(folder) / "open_clip_model.safetensors"
        out = folder / "clip-retrieval"
        shutil.rmtree(out, ignore_errors=True)
        inference = [found.peer_python, "-m", "clip_retrieval.cli", "inference", "--input_dataset", str(part)]
        inference += ["--output_folder", str(out), "--enable_text", "False", "--clip_model"]
        inference += [f"open_clip:{ARCHITECTURE}/{weights}", "--batch_size", "32", "--num_prepro_workers", "2"]
        known["clip-retrieval"] = [*inference, "--use_jit", "False"], {**os.environ}, folder
    return known

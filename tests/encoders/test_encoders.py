"""Encoders: the contract holds for each, every spelling loads, and what cannot be loaded says so at once."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from retrieval import Settings
from retrieval.encoders import Encoder, LoadOptions, SupportsPatchFeatures, checkpoints, model_list
from retrieval.encoders.autotune import Tuning, TuningTable
from retrieval.encoders.batching import BatchedEncoder, batched
from retrieval.encoders.builtin_encoder import BUILTIN
from retrieval.encoders.colours import ColourEncoder
from retrieval.encoders.model_name import ModelName, WeightSource
from retrieval.encoders.openclip import OpenClip
from retrieval.errors import ModelError, ModelUnavailable
from retrieval.library import backends
from retrieval.runtime.devices import choose_device, choose_precision, measure
from retrieval.types.records import Vectors

from ..conftest import soon

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
}
SAME = 2e-4  # batch against single: other kernels, other rounding


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real open_clip model folder with random weights."""
    return random_model(tmp_path_factory.mktemp("tiny"), TINY, "shortest")


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a convolutional image encoder of timm, which has batch normalisations."""
    vision = {"timm_model_name": "test_efficientnet", "timm_pool": "avg", "timm_proj": "linear", "image_size": 64}
    return random_model(tmp_path_factory.mktemp("convolutions"), {**TINY, "vision_cfg": vision}, "squash")


def random_model(folder: Path, config: dict[str, Any], resize_mode: str) -> Path:
    torch.manual_seed(1)
    model = open_clip.model.CLIP(**config)
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": resize_mode}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    return folder


@pytest.fixture(scope="module", params=["colours", "builtin", "tiny"])
def encoder(request: pytest.FixtureRequest, tiny: Path) -> Encoder:
    """What the product runs: loaded by its backend, with calls of several threads batched."""
    name = request.param if request.param != "tiny" else f"local-dir:{tiny}"
    return backends.encoder(Settings(device="cpu", precision="float32"), name)


def pictures() -> list[Image.Image]:
    colours = ["red", "lime", "blue", "gold", "black"]
    return [Image.new("RGB", (40 + 9 * n, 60), colour) for n, colour in enumerate(colours)]


TEXTS = ["red", "a blue picture, and a long sentence about it", "", "🐕", "一只狗"]


def encode(encoder: Encoder, images: Sequence[Image.Image]) -> np.ndarray:
    return encoder.images([encoder.prepare(image) for image in images])


def test_rows_are_unit_float32_of_the_spaces_size(encoder: Encoder) -> None:
    for rows in (encode(encoder, pictures()), encoder.texts(TEXTS)):
        assert rows.shape == (5, encoder.space.dimensions)
        assert rows.dtype == np.float32
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_batch_gives_what_its_members_give(encoder: Encoder) -> None:
    singles = np.concatenate([encode(encoder, [image]) for image in pictures()])
    assert np.allclose(encode(encoder, pictures()), singles, atol=SAME)
    words = np.concatenate([encoder.texts([text]) for text in TEXTS])
    assert np.allclose(encoder.texts(TEXTS), words, atol=SAME)


def test_other_pictures_and_words_give_other_rows(encoder: Encoder) -> None:
    rows = encode(encoder, pictures())
    assert (rows @ rows.T)[0, 1] < 0.9999
    words = encoder.texts(["red", "blue"])
    assert words[0] @ words[1] < 0.9999


def test_nothing_gives_no_rows(encoder: Encoder) -> None:
    assert encoder.images([]).shape == encoder.texts([]).shape == (0, encoder.space.dimensions)


def test_colours_land_on_their_pictures() -> None:
    encoder = ColourEncoder()
    scores = encoder.texts(["red", "lime", "blue", "gold", "black"]) @ encode(encoder, pictures()).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2, 3, 4]


# --- spellings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "route"),
    [
        ("ViT-B-32/openai", WeightSource.TAG),
        ("hf-hub:timm/ViT-B-16-SigLIP2", WeightSource.HUB),
        ("local-dir:{tiny}", WeightSource.FOLDER),
        ("ViT-B-32/{tiny}/open_clip_model.safetensors", WeightSource.FILE),
    ],
)
def test_each_spelling_goes_its_route(spelling: str, route: WeightSource, tiny: Path) -> None:
    assert ModelName.parse(spelling.format(tiny=tiny)).route is route


@pytest.mark.parametrize(
    ("spelling", "says"),
    [
        ("nonsense", "is not a model"),
        ("", "is not a model"),
        ("/absolute", "is not a model"),
        ("hf-hub:alone", "hf-hub:ORG/NAME"),
        ("local-dir:/nowhere", "no open_clip_config.json"),
        ("ViT-B-32/nowhere.pt", "no checkpoint file"),
        ("NoSuchArch/openai", "no architecture 'NoSuchArch'"),
        ("ViT-B-32/no_such_tag", "known: openai"),
    ],
)
def test_a_wrong_name_is_refused_with_what_would_be_right(spelling: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        OpenClip.load(spelling)


@pytest.mark.parametrize("spelling", ["ViT-B-32/openai", "hf-hub:timm/ViT-B-16-SigLIP2"])
def test_a_model_that_is_not_here_says_how_to_fetch_it_without_the_network(
    spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: asked.append(address))
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: asked.append(address))
    with pytest.raises(ModelUnavailable, match=f"models pull {spelling}"):
        OpenClip.load(spelling)
    assert asked == []


def test_pulling_without_network_fails_at_the_first_try_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with pytest.raises(ModelUnavailable, match="local-dir:PATH"):
        checkpoints.pull(ModelName.parse("ViT-B-32/openai"))
    assert waits == []


def test_pulling_what_is_here_is_done_already(tiny: Path) -> None:
    assert checkpoints.pull(ModelName.parse(f"local-dir:{tiny}")) == tiny
    assert backends.encoder_backend("builtin").pull("builtin", LoadOptions()) == BUILTIN


def test_a_checkpoint_file_is_loaded_into_its_architecture(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "Tiny-1.json").write_text(json.dumps(TINY))
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", {**open_clip.factory._MODEL_CONFIGS, "Tiny-1": TINY})
    weights = tiny / "open_clip_model.safetensors"
    by_file = OpenClip.load(f"Tiny-1/{weights}", "cpu", "float32")
    by_folder = OpenClip.load(f"local-dir:{tiny}", "cpu", "float32")
    assert np.allclose(by_file.texts(["a dog"]), by_folder.texts(["a dog"]), atol=1e-6)
    torch.save(open_clip.model.CLIP(**TINY).state_dict(), tmp_path / "weights.pt")
    assert OpenClip.load(f"Tiny-1/{tmp_path}/weights.pt", "cpu").space.dimensions == 16


def test_a_model_of_the_hub_is_loaded_from_its_cache(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The layout of the hub's cache, with a tiny checkpoint of the real class in it."""
    from huggingface_hub import constants

    snapshot = tmp_path / "models--org--tiny" / "snapshots" / ("0" * 40)
    shutil.copytree(tiny, snapshot)
    (tmp_path / "models--org--tiny" / "refs").mkdir()
    (tmp_path / "models--org--tiny" / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert OpenClip.load("hf-hub:org/tiny", "cpu").space.model == "hf-hub:org/tiny"


def test_a_folder_without_weights_is_refused_never_random(tiny: Path, tmp_path: Path) -> None:
    shutil.copy(tiny / "open_clip_config.json", tmp_path)
    with pytest.raises(ModelError, match="cannot load"):
        OpenClip.load(f"local-dir:{tmp_path}")


@pytest.mark.parametrize("harm", ["truncated", "other model"])
def test_weights_that_do_not_fit_are_one_line(tiny: Path, tmp_path: Path, harm: str) -> None:
    shutil.copytree(tiny, tmp_path, dirs_exist_ok=True)
    weights = tmp_path / "open_clip_model.safetensors"
    if harm == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    else:
        save_file({"x": torch.zeros(1)}, weights)
    with pytest.raises(ModelError) as caught:
        OpenClip.load(f"local-dir:{tmp_path}")
    assert "\n" not in str(caught.value)


def test_changed_weights_are_another_space(tiny: Path, tmp_path: Path) -> None:
    before = OpenClip.load(f"local-dir:{tiny}").space
    shutil.copytree(tiny, tmp_path, dirs_exist_ok=True)
    model = open_clip.model.CLIP(**TINY)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        tmp_path / "open_clip_model.safetensors",
    )
    assert OpenClip.load(f"local-dir:{tmp_path}").space.fingerprint != before.fingerprint


# --- device and precision -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_refused(wanted: str) -> None:
    with pytest.raises(ModelError, match="no device"):
        choose_device(wanted)


@pytest.mark.parametrize("wanted", ["float8", "float16"])
def test_a_precision_that_makes_no_sense_is_refused(wanted: str) -> None:
    with pytest.raises(ModelError):
        choose_precision(wanted, torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["convolutions", "tiny"])
def test_the_precision_that_is_chosen_is_faithful_to_float32(model: str, tiny: Path, convolutions: Path) -> None:
    spelling = f"local-dir:{convolutions if model == 'convolutions' else tiny}"
    full, chosen = OpenClip.load(spelling, "cpu", "float32"), OpenClip.load(spelling, "cpu", "auto")
    many = [Image.effect_noise((300, 300), 12 * n + 10).convert("RGB") for n in range(12)] + pictures()
    rows = encode(chosen, many)
    assert chosen.precision in (torch.float32, torch.bfloat16)
    assert (rows * encode(full, many)).sum(axis=1).min() >= 0.999


def test_bfloat16_rows_are_near_those_of_float32(tiny: Path) -> None:
    full, fast = (OpenClip.load(f"local-dir:{tiny}", "cpu", kind) for kind in ("float32", "bfloat16"))
    assert (encode(full, pictures()) * encode(fast, pictures())).sum(axis=1).min() >= 0.999


@pytest.mark.parametrize(
    ("noise", "slow", "quick", "worth_it"),
    [(0.0, 9.0, 1.0, True), (0.5, 9.0, 1.0, False), (0.0, 1.0, 9.0, False)],
    ids=["good", "rough", "slower"],
)
def test_a_lower_precision_is_taken_only_where_it_is_faster_and_faithful(
    noise: float, slow: float, quick: float, worth_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("retrieval.runtime.devices.time", SimpleNamespace(perf_counter=lambda: now))
    rows = torch.nn.functional.normalize(torch.ones(4, 8) + torch.arange(8) / 9, dim=-1)
    other = torch.nn.functional.normalize(rows + noise * torch.tensor([1.0, -1] * 4), dim=-1)

    def full() -> torch.Tensor:
        nonlocal now
        now += slow
        return rows

    def fast() -> torch.Tensor:
        nonlocal now
        now += quick
        return other

    assert measure(full, fast) is worth_it


# --- the table ------------------------------------------------------------------------------------------------


def test_the_table_of_models_starts_with_the_built_in_one() -> None:
    rows = model_list.known()
    assert (rows[0].name, rows[0].installed, rows[0].dimensions) == ("builtin", True, 384)
    assert rows[0].parameters is not None
    assert 27 < rows[0].parameters < 29
    assert all(row.licence and row.languages and row.image_size for row in rows)


def test_every_known_tag_is_one_that_open_clip_has() -> None:
    for row in model_list.known():
        if row.name == "builtin":
            continue
        name = ModelName.parse(row.name)
        if name.route is WeightSource.TAG:
            assert name.tag in open_clip.list_pretrained_tags_by_model(name.architecture), row.name
            assert open_clip.get_model_config(name.architecture)["embed_dim"] == row.dimensions


def test_the_whole_list_is_open_clips() -> None:
    assert len(model_list.everything()) > len(open_clip.list_pretrained()) - 20


# --- calls of many threads --------------------------------------------------------------------------------------------


class Held(ColourEncoder):
    """Its first call lasts until it is let go; remembers how many texts each had; "bad" cannot be encoded."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.free = threading.Event()

    def texts(self, batch: Sequence[str]) -> Vectors:
        self.calls.append(len(batch))
        assert self.free.wait(60)
        if "bad" in batch:
            raise ValueError("bad")
        return super().texts(batch)


def at_once(held: Held, batches: Sequence[Sequence[str]]) -> list[Vectors | None]:
    """What calls by as many threads give, all of which came before the first was done; None for an error."""
    encoder = BatchedEncoder(held)

    def asked(batch: Sequence[str]) -> Vectors | None:
        try:
            return encoder.texts(batch)
        except ValueError:
            return None

    def all_came() -> bool:
        return sum(held.calls) + sum(len(job.batch) for job in encoder._texts.waiting) == sum(map(len, batches))

    with ThreadPoolExecutor(len(batches)) as pool:
        found = pool.map(asked, batches)
        assert soon(all_came)
        held.free.set()
        return list(found)


def test_calls_that_come_while_the_model_works_go_into_one() -> None:
    held, names = Held(), ["red", "lime", "blue", "yellow"] * 5
    found = at_once(held, [[name] for name in names])
    assert np.array_equal(np.concatenate([rows for rows in found if rows is not None]), ColourEncoder().texts(names))
    assert len(held.calls) <= 2, "the one that was at work, and all others"
    assert sum(held.calls) == 20


def test_large_calls_are_not_joined_and_none_is_forgotten() -> None:
    held = Held()
    found = at_once(held, [["red"] * 100] * 6)
    assert [len(rows) for rows in found if rows is not None] == [100] * 6
    assert held.calls == [100] * 6


def test_one_bad_call_does_not_spoil_those_that_went_with_it() -> None:
    names = ["red", "bad", "blue", "lime"] * 3
    assert [rows is not None for rows in at_once(Held(), [[name] for name in names])] == [
        name != "bad" for name in names
    ]


def test_a_gathered_encoder_has_grids_only_where_the_model_has(photos: Path) -> None:
    assert isinstance(batched(ColourEncoder()), SupportsPatchFeatures)
    assert batched(ColourEncoder()).space == ColourEncoder.space


# --- how a model runs on this machine -------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["convolutions", "tiny"])
def test_bytes_normalised_in_batches_are_what_open_clip_makes_of_each(
    model: str, tiny: Path, convolutions: Path
) -> None:
    loaded = OpenClip.load(f"local-dir:{convolutions if model == 'convolutions' else tiny}", "cpu", "float32")
    _, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{loaded.path}")
    many = [Image.effect_noise((320, 240), 60).convert("RGB"), *pictures()]
    theirs = torch.stack([preprocess(image) for image in many])
    ours = loaded._normal(torch.from_numpy(np.stack([loaded.prepare(image) for image in many])))
    torch.testing.assert_close(ours.contiguous(), theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("speed", [Tuning("float32", 3, apart=False), Tuning("float32", 3, apart=True)])
def test_pieces_together_or_apart_give_the_same_rows(speed: Tuning, convolutions: Path) -> None:
    encoder = OpenClip.load(f"local-dir:{convolutions}", "cpu", "float32")
    whole = encode(encoder, pictures() * 3)
    encoder._run_as(speed)
    assert np.allclose(encode(encoder, pictures() * 3), whole, atol=SAME)


@pytest.mark.slow
def test_cores_that_work_apart_leave_later_threads_all_of_them(tiny: Path) -> None:
    """Torch gives a thread that begins what was last set in any."""
    model = OpenClip.load(f"local-dir:{tiny}", "cpu", "float32")
    model._run_as(Tuning("float32", 3, apart=True))
    model.images([model.prepare(image) for image in pictures()])
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == torch.get_num_threads()


def test_what_was_measured_is_kept_for_the_next_process(tmp_path: Path, tiny: Path) -> None:
    speeds = TuningTable(tmp_path / "speeds.json")
    first = OpenClip.load(f"local-dir:{tiny}", "cpu", "float32", speeds)
    first.precision = None  # as on a CPU that has bfloat16
    encode(first, pictures() * 4)
    kept = speeds.known(first.space.fingerprint)
    assert kept is not None
    assert (kept.precision, kept.piece, kept.apart) == (
        {torch.float32: "float32", torch.bfloat16: "bfloat16"}[first.precision or torch.float16],
        first.piece,
        first.apart,
    )
    assert speeds.known("another") is None


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "\x00"])
def test_a_damaged_memory_of_speeds_is_no_memory(tmp_path: Path, text: str) -> None:
    file = tmp_path / "speeds.json"
    file.write_text(text)
    assert TuningTable(file).known("a") is None
    TuningTable(file).keep("a", Tuning("float32", 4, apart=False))
    assert TuningTable(file).known("a") == Tuning("float32", 4, apart=False)

"""Every family that transformers has, loaded by the product's own code from a tiny checkpoint of its real classes."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

from retrieval.errors import ModelError, ModelUnavailable, UsageError
from retrieval.types.records import Judgement
from retrieval.vlm import Ability, VisionLanguageModel, families, model_list, vision_cache
from retrieval.vlm.checkpoints import fingerprint
from retrieval.vlm.colours import ColourVlm
from retrieval.vlm.families import Backend
from retrieval.vlm.messages import Message, TextPart, VideoPart, user
from retrieval.vlm.model_name import VlmName
from retrieval.vlm.transformers import Transformers

from . import tiny_vlm

pytestmark = pytest.mark.slow

NAMES = list(tiny_vlm.FAMILIES)
SAME = 2e-6  # batch against single: padding and other sums


def noise(seed: int, width: int = 64, height: int = 48) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


PICTURES = [noise(1), noise(2, 80, 60), noise(3, 48, 64)]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: tmp_path_factory.mktemp(name) for name in NAMES}


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights never stop by themselves."""
    monkeypatch.setattr("retrieval.vlm.transformers.SHORT", 6)
    monkeypatch.setattr("retrieval.vlm.transformers.LONG", 6)
    monkeypatch.setattr("retrieval.vlm.transformers.OUTLINE", 6)


LOADED: dict[str, Transformers] = {}


def load(name: str, folders: dict[str, Path]) -> Transformers:
    folder, family = folders[name], tiny_vlm.FAMILIES[name][0]
    if not (folder / "config.json").is_file():
        tiny_vlm.build(name, folder)
    if name not in LOADED:
        named = family if family in tiny_vlm.BY_NAME else ""
        LOADED[name] = Transformers.load(f"local-dir:{folder}", "cpu", "float32", named)
    assert LOADED[name].family.name == family
    return LOADED[name]


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Transformers:
    return load(request.param, folders)


def can(model: VisionLanguageModel, ability: Ability) -> None:
    if ability not in model.abilities:
        pytest.skip(f"{model.name} cannot {ability}")


def near(one: list[Judgement], other: list[Judgement]) -> bool:
    return bool(np.allclose([j.yes for j in one], [j.yes for j in other], atol=SAME))


# --- the contract, family by family -----------------------------------------------------------------------------------


def test_a_batch_of_judgements_is_what_its_members_are(model: Transformers) -> None:
    can(model, Ability.JUDGE)
    together = model.judge("a dog on the red sofa", PICTURES)
    alone = [model.judge("a dog on the red sofa", [picture])[0] for picture in PICTURES]
    assert near(together, alone)
    assert all(0 <= j.yes <= 1 and 0 < j.mass <= 1 for j in together)


def test_a_judgement_depends_on_the_picture_and_on_the_query(model: Transformers) -> None:
    can(model, Ability.JUDGE)
    dogs, cats = (model.judge(query, PICTURES[:2]) for query in ("a dog on the red sofa", "yes a cat"))
    assert dogs[0].yes != dogs[1].yes
    assert dogs[0].yes != cats[0].yes


def test_a_picture_is_looked_at_once_whatever_is_asked(model: Transformers) -> None:
    """Held against the model without what keeps its looks; other questions, other neighbours."""
    can(model, Ability.JUDGE)
    kept = model.model.base_model.__dict__.get("get_image_features")
    first = model.judge("a dog on the red sofa", PICTURES)
    if kept is not None:
        looks = dict(kept._kept)
        assert model.judge("yes a cat", [PICTURES[2], PICTURES[0]])
        assert dict(kept._kept) == looks
        del model.model.base_model.get_image_features
    try:
        assert near(first, model.judge("a dog on the red sofa", PICTURES))
    finally:
        vision_cache.keep(model.model)


def test_captions_of_a_batch_are_those_of_its_members(model: Transformers) -> None:
    can(model, Ability.CAPTION)
    assert model.caption(PICTURES) == [model.caption([picture])[0] for picture in PICTURES]


def test_an_answer_depends_on_the_picture(model: Transformers) -> None:
    can(model, Ability.ANSWER)
    inputs = [model._inputs([[user(picture, "what is shown?")]]) for picture in PICTURES[:2]]
    first, second = (model._first_logits(given) for given in inputs)
    assert not torch.equal(first, second)
    assert isinstance(model.answer(PICTURES[:1], "is there a dog?"), str)


def test_what_is_said_can_be_followed_while_it_is_said(model: Transformers) -> None:
    can(model, Ability.ANSWER)
    pieces: list[str] = []
    question = "is there a cat?"
    said = model.streaming(pieces.append).answer(PICTURES[:1], question)
    assert said == model.answer(PICTURES[:1], question)
    assert "".join(pieces).strip() == said


def test_a_question_is_verified_picture_by_picture(model: Transformers) -> None:
    can(model, Ability.ANSWER)
    together = model.verify("is there a dog?", PICTURES)
    assert near(together, [model.verify("is there a dog?", [picture])[0] for picture in PICTURES])
    assert together[0].yes != together[1].yes
    assert together[0].yes != model.verify("yes a cat?", PICTURES[:1])[0].yes


CONTROLS = ("<image>", "<|image_pad|>", "<image_placeholder>", "<loc_1>", "<grounding>", "<s>", "{query}", "{image}")


@pytest.mark.parametrize("control", CONTROLS)
def test_placeholders_in_the_users_words_are_harmless(model: Transformers, control: str) -> None:
    if Ability.JUDGE in model.abilities:
        assert 0 <= model.judge(f"a {control} dog", PICTURES[:1])[0].yes <= 1
    if Ability.ANSWER in model.abilities:
        model.answer(PICTURES[:1], f"is this {control} a dog?")
    if Ability.GROUND in model.abilities:
        model.ground(PICTURES[0], f"the {control} dog")


def test_several_pictures_are_all_read_or_refused(model: Transformers) -> None:
    if Ability.ANSWER not in model.abilities:
        pytest.skip("answers no questions")
    if Ability.IMAGES not in model.abilities:
        with pytest.raises(UsageError, match="at most 1 pictures at a time, got 2"):
            model.answer(PICTURES[:2], "are they red?")
        return
    forth, back = (model._inputs([[user(*pictures, "which?")]]) for pictures in (PICTURES[:2], PICTURES[1::-1]))
    assert not torch.equal(model._first_logits(forth), model._first_logits(back))


def test_a_video_is_read_with_its_times_or_refused(model: Transformers) -> None:
    message = Message("user", (VideoPart((PICTURES[0], noise(5)), (0.0, 63.5)), TextPart("what happens?")))
    if Ability.VIDEO not in model.abilities:
        with pytest.raises(UsageError):
            model.chat([message])
        return
    inputs = model._inputs([[message]])
    assert any("pixel" in name for name in inputs), "the frames must reach the model"
    other = Message("user", (VideoPart((PICTURES[0], noise(9)), (0.0, 63.5)), TextPart("what happens?")))
    assert not torch.equal(model._first_logits(inputs), model._first_logits(model._inputs([[other]])))
    assert isinstance(model.chat([message], limit=2), str)


def test_a_conversation_goes_on(model: Transformers) -> None:
    can(model, Ability.CHAT)
    start = [Message("system", (TextPart("Be short."),)), user(PICTURES[0], "what is this?")]
    longer = [*start, Message("assistant", (TextPart("a cat"),)), user("and the other?")]
    assert isinstance(model.chat(longer, limit=3), str)


SAID = {
    "qwen2-vl": '[{"bbox_2d": [6, 11, 28, 50], "label": "the dog"}]',  # pixels of 56 by 56
    "qwen2.5-vl": '[{"bbox_2d": [6, 11, 28, 50], "label": "the dog"}]',
    "kosmos2": "<grounding><phrase> the dog</phrase><object><patch_index_0195><patch_index_0911></object>",
    "qwen3-vl": '[{"bbox_2d": [100, 200, 500, 900], "label": "the dog"}]',
    "paligemma": "<loc0205><loc0102><loc0922><loc0512> the dog",
    "florence2": "</s><s>the dog<loc_100><loc_200><loc_500><loc_900></s>",
}


@pytest.mark.parametrize(("name", "said"), SAID.items(), ids=SAID)
def test_pointing_gives_the_box_that_the_model_writes(
    name: str, said: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights write no box: they run, and what trained ones would write is put in the place of their words."""
    model = load(name, folders)
    run = model._run
    monkeypatch.setattr(model, "_run", lambda *given, **options: [said for _ in run(*given, **options)])
    (box,) = model.ground(PICTURES[0], "the dog")
    assert box.label == "the dog"
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((0.1, 0.2, 0.5, 0.9), abs=0.02)


def test_pointing_by_a_mask_gives_boxes_inside_the_picture(folders: dict[str, Path]) -> None:
    boxes = load("clipseg", folders).ground(PICTURES[0], "the dog")
    assert boxes
    assert all(0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1 for box in boxes)


def test_every_model_that_points_is_pointed_with_here(folders: dict[str, Path]) -> None:
    pointing = {name for name in NAMES if Ability.GROUND in load(name, folders).abilities}
    assert pointing == {*SAID, "clipseg"}


def test_a_mask_has_the_pictures_size_and_depends_on_it(model: Transformers) -> None:
    can(model, Ability.SEGMENT)
    masks = [model.segment(picture, "the red dog") for picture in PICTURES[:2]]
    assert [mask.shape for mask in masks] == [(48, 64), (60, 80)]
    assert all(0 <= mask.min() <= mask.max() <= 1 for mask in masks)
    if model.family.heat:
        assert not np.allclose(masks[0], model.segment(noise(4), "the red dog"))
        assert not np.allclose(masks[0], model.segment(PICTURES[0], "yes no true"))


@pytest.mark.parametrize(
    ("stored", "runs"),
    [(torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16), (torch.float16, torch.bfloat16)],
    ids=["float32", "bfloat16", "float16"],
)
def test_weights_of_half_precision_run_in_it_where_the_processor_is_fast_at_it(
    stored: torch.dtype,
    runs: torch.dtype,
    folders: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = load("smolvlm", folders)
    kept = AutoModelForImageTextToText.from_pretrained(folders["smolvlm"], dtype=stored)
    kept.save_pretrained(tmp_path)
    whole.processor.save_pretrained(tmp_path)
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    model = Transformers.load(f"local-dir:{tmp_path}", "cpu")
    assert model.model.dtype == runs
    pairs = zip(model.judge("a dog", PICTURES), whole.judge("a dog", PICTURES), strict=True)
    assert all(abs(one.yes - other.yes) <= 0.02 for one, other in pairs)


def test_other_weights_of_the_same_name_are_another_model(folders: dict[str, Path], tmp_path: Path) -> None:
    load("llava", folders)
    shutil.copytree(folders["llava"], tmp_path, dirs_exist_ok=True)
    first = fingerprint(tmp_path)
    assert first == fingerprint(folders["llava"])
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert fingerprint(tmp_path) != first
    assert load("llava", folders).identity == f"local-dir:{folders['llava']}@{first}"


def test_what_a_family_cannot_do_is_said(folders: dict[str, Path]) -> None:
    model = load("llava", folders)
    with pytest.raises(UsageError, match="cannot do `ground`; it can: answer, caption"):
        model.ground(PICTURES[0], "the dog")


def test_an_adapter_is_laid_over_its_base(folders: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("peft")
    base = load("qwen2-vl", folders)
    tiny_vlm.build_adapter(folders["qwen2-vl"], tmp_path)
    model = Transformers.load(f"local-dir:{tmp_path}", "cpu", "float32", "MonoQwen2-VL")
    assert model.family.words == (("true",), ("false",))
    together = model.judge("a dog", PICTURES)
    assert near(together, [model.judge("a dog", [picture])[0] for picture in PICTURES])
    inputs = model._inputs([model.family.judging(PICTURES[0], "a dog")])
    assert not torch.equal(model._first_logits(inputs), base._first_logits(inputs))
    with pytest.raises(ModelError, match="--vlm-family"):
        Transformers.load(f"local-dir:{tmp_path}")


def test_an_adapter_without_its_library_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "Qwen/Qwen2-VL-2B-Instruct"}))
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModelUnavailable, match=r"retrieval\[adapters\]"):
        Transformers.load(f"local-dir:{tmp_path}", family="MonoQwen2-VL")


# --- names and loading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "says"),
    [
        ("nothing", "is not a vision-language model"),
        ("hf-hub:alone", "hf-hub:ORG/NAME"),
        ("local-dir:/nowhere", "no config.json"),
        ("endpoint:localhost:8000#m", "endpoint:URL#MODEL"),
        ("endpoint:http://localhost:8000/v1", "endpoint:URL#MODEL"),
    ],
)
def test_a_wrong_spelling_is_refused_with_what_would_be_right(spelling: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        VlmName.parse(spelling)


def test_a_model_that_is_not_here_says_how_to_fetch_it() -> None:
    with pytest.raises(ModelUnavailable, match="vlms pull hf-hub:Qwen/Qwen3-VL-2B-Instruct"):
        Transformers.load("hf-hub:Qwen/Qwen3-VL-2B-Instruct")


def test_a_folder_without_weights_is_refused_never_random(folders: dict[str, Path], tmp_path: Path) -> None:
    load("llava", folders)
    for file in folders["llava"].glob("*.json"):
        shutil.copy(file, tmp_path)
    with pytest.raises(ModelError, match="has no weights"):
        Transformers.load(f"local-dir:{tmp_path}")


def test_weights_that_are_cut_off_are_one_line(folders: dict[str, Path], tmp_path: Path) -> None:
    load("llava", folders)
    shutil.copytree(folders["llava"], tmp_path, dirs_exist_ok=True)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot load") as caught:
        Transformers.load(f"local-dir:{tmp_path}")
    assert "\n" not in str(caught.value)


def test_a_type_that_no_family_reads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "moondream1"}))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="'moondream1'"):
        Transformers.load(f"local-dir:{tmp_path}")


@pytest.mark.parametrize("revision", ["main", "1" * 39])
def test_a_repositorys_own_code_needs_a_pinned_revision(revision: str) -> None:
    with pytest.raises(ModelError, match="40 hexadecimal digits"):
        Transformers.load("hf-hub:vikhyatk/moondream2", remote_code=revision)


def test_a_repositorys_own_code_does_not_run_unasked(tmp_path: Path) -> None:
    config = {
        "model_type": "llava",
        "auto_map": {"AutoConfig": "evil.Evil", "AutoModelForImageTextToText": "evil.Evil"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(ModelError):
        Transformers.load(f"local-dir:{tmp_path}")
    assert not (tmp_path / "ran").exists()


def test_yis_original_names_are_all_found(folders: dict[str, Path]) -> None:
    from retrieval.vlm import yi

    model = load("yi-vl", folders).model
    back = {new: old for old, new in yi.NAMES.items()}
    original = {}
    for name, value in model.state_dict().items():
        start = next((start for start in back if name.startswith(start)), "")
        original[back.get(start, "") + name.removeprefix(start)] = value
    assert "model.mm_projector.3.weight" in original
    assert set(yi.renamed(original)) == set(model.state_dict())


# --- the table --------------------------------------------------------------------------------------------------------


def test_every_family_of_the_table_is_known_and_every_known_family_is_in_it() -> None:
    assert {row["family"] for row in model_list.rows()} == {family.name for family in families.FAMILIES}


def test_every_in_process_family_has_a_tiny_checkpoint_here() -> None:
    here = {family for family, _ in tiny_vlm.FAMILIES.values()}
    for family in families.FAMILIES:
        assert family.route is not Backend.IN_PROCESS or family.name in here | {"MonoQwen2-VL"}  # an adapter: see above


# --- the fake truly works ---------------------------------------------------------------------------------------------


def test_colours_sees_colours() -> None:
    model, red = ColourVlm(), Image.new("RGB", (40, 30), "red")
    red.paste((0, 0, 255), (20, 0, 30, 15))
    assert model.caption([red]) == ["a red picture"]
    assert [round(j.yes, 1) for j in model.judge("a red one", [red, Image.new("RGB", (9, 9), "blue")])] == [1.0, 0.0]
    assert model.judge("a dog", [red])[0].mass == 0
    assert model.answer([red], "is it red?") == "yes"
    box = model.ground(red, "the blue thing")[0]
    assert (box.left, box.top, box.right, box.bottom) == (0.5, 0.0, 0.75, 0.5)

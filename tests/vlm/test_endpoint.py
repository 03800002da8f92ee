"""A model behind an OpenAI-compatible server: what is sent, what is read, and every way it can go wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from retrieval.errors import ModelError, ModelUnavailable, UsageError
from retrieval.vlm import families
from retrieval.vlm.endpoint import NO_LOGPROBS, SIDE, Endpoint
from retrieval.vlm.families import Backend
from retrieval.vlm.messages import Message, TextPart, VideoPart, user

from .vlm_server import Server, opened, serve

RED, BLUE = Image.new("RGB", (60, 40), "red"), Image.new("RGB", (40, 60), "blue")


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(Server()) as server:
        yield server
    while OPENED:
        OPENED.pop().close()


OPENED: list[Endpoint] = []


def model(server: Server, family: str = "", **changes: object) -> Endpoint:
    found = Endpoint.load(server.spelling, family)
    found.pause = 0.01
    for name, value in changes.items():
        setattr(found, name, value)
    OPENED.append(found)
    return found


# --- what it does -----------------------------------------------------------------------------------------------------


def test_captions_come_in_the_order_of_the_pictures(server: Server) -> None:
    assert model(server).caption([RED, BLUE, RED, BLUE, BLUE]) == ["red", "blue", "red", "blue", "blue"]


def test_a_question_on_two_pictures_is_one_request_with_both_in_order(server: Server) -> None:
    assert model(server).answer([BLUE, RED], "which colours?") == "blue, red"
    parts = server.bodies[0]["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["image_url", "image_url", "text"]


def test_what_is_said_can_be_followed_while_it_is_said(server: Server) -> None:
    heard: list[str] = []
    assert model(server).streaming(heard.append).answer([BLUE, RED], "which colours?") == "blue, red"
    assert "".join(heard) == "blue, red"
    assert len(heard) > 4
    assert server.bodies[0]["stream"] is True


def test_a_server_that_does_not_stream_is_asked_as_usual(server: Server) -> None:
    heard: list[str] = []
    server.failures = ["500", ""]
    assert model(server).streaming(heard.append).answer([RED], "which colours?") == "red"
    assert "stream" not in server.bodies[-1]
    server.failures = ["prose", ""]
    assert model(server).streaming(heard.append).answer([RED], "which colours?") == "red"
    assert heard == []


def test_an_answer_that_breaks_off_is_no_answer(server: Server) -> None:
    server.failures = ["breaks"]
    with pytest.raises(ModelUnavailable, match="broke off"):
        model(server).streaming(print).answer([RED], "which colours?")


def test_a_judgement_is_read_from_the_first_tokens_probabilities(server: Server) -> None:
    red, blue = model(server).judge("something red", [RED, BLUE])
    assert red.yes > 0.95
    assert blue.yes < 0.05
    assert red.mass == pytest.approx(0.8, abs=0.01)
    assert server.bodies[0] | {"messages": []} == {
        "model": "tiny", "messages": [], "max_tokens": 1, "temperature": 0, "logprobs": True, "top_logprobs": 20,
    }  # fmt: skip


@pytest.mark.parametrize("refuses", [False, True], ids=["drops the field", "refuses the field"])
def test_without_probabilities_the_plain_word_counts_and_that_is_said(server: Server, refuses: bool) -> None:
    server.logprobs, server.refuses = False, refuses
    asked = model(server, parallel=1)
    verdicts = asked.judge("something red", [RED, BLUE])
    assert [(verdict.yes, verdict.mass) for verdict in verdicts] == [(1.0, 1.0), (0.0, 1.0)]
    assert asked.notes == [NO_LOGPROBS]


def test_prose_where_yes_or_no_was_asked_is_no_opinion(server: Server) -> None:
    server.logprobs, server.says = False, "Well, that depends on what you mean."
    assert model(server).judge("something red", [RED])[0].mass == 0


def test_boxes_are_read_from_json_in_prose(server: Server) -> None:
    server.says = 'Sure:\n```json\n[{"bbox_2d": [100, 200, 500, 1000], "label": "cup"}]\n``` Anything else?'
    box = model(server).ground(RED, "the cup")[0]
    assert (box.label, box.left, box.top, box.right, box.bottom) == ("cup", 0.1, 0.2, 0.5, 1.0)


def test_prose_where_boxes_were_asked_is_no_box(server: Server) -> None:
    server.says = "I see no cup in this picture."
    assert model(server).ground(RED, "the cup") == []


def test_boxes_in_pixels_are_of_the_picture_that_was_sent(server: Server) -> None:
    server.says = '[{"bbox_2d": [0, 0, 280, 140]}]'
    box = model(server, "Qwen2.5-VL").ground(Image.new("RGB", (565, 285)), "the cup")[0]
    sent = opened(server.bodies[0]["messages"][0]["content"][0]["image_url"]["url"])
    assert sent.size == (560, 280)
    assert (box.label, box.right, box.bottom) == ("the cup", 0.5, 0.5)


def test_a_video_is_sent_as_numbered_frames(server: Server) -> None:
    message = Message("user", (VideoPart((RED, BLUE), (0.0, 63.5)), TextPart("which colours?")))
    assert model(server).chat([message]) == "red, blue"
    words = [part["text"] for part in server.bodies[0]["messages"][0]["content"] if part["type"] == "text"]
    assert words == ["Frame 1 at 0:00.0: ", "\n", "Frame 2 at 1:03.5: ", "\n", "which colours?"]


def test_large_pictures_are_sent_smaller(server: Server) -> None:
    model(server).caption([Image.new("RGB", (4000, 3000), "red")])
    assert max(opened(server.bodies[0]["messages"][0]["content"][0]["image_url"]["url"]).size) == SIDE


def test_no_more_requests_at_a_time_than_said(server: Server) -> None:
    server.together = 2
    model(server, parallel=2).caption([RED] * 8)
    assert server.busiest == 2


def test_the_key_is_sent(server: Server) -> None:
    model(server, key="secret").caption([RED])
    assert server.keys == ["Bearer secret"]


# --- each family that only servers have, by its documented words ------------------------------------------------------

WORDS = {  # family: what it is asked for a caption, a question, a judgement, boxes
    "moondream2": (
        "Write a short caption for this image.", "why?", "Does this image show a dog? Answer yes or no.", "",
    ),
    "CogVLM-chat": (
        "Describe this picture in one short sentence.", "why?",
        'Does this picture show "a dog"? Answer with yes or no only.', "",
    ),
    "CogVLM-base": (
        "Describe this picture in one short sentence.", "Question: why? Short answer:",
        "Question: Does the picture show a dog? yes or no? Short answer:",
        "Where is the dog? answer in [[x0,y0,x1,y1]] format.",
    ),
    "Qwen-VL-Chat": (
        "Describe this picture in one short sentence.", "why?",
        'Does this picture show "a dog"? Answer with yes or no only.',
        "Output the bounding box of the dog in the image.",
    ),
    "Qwen-VL": (
        "Generate the caption in English:", "why? Answer:", "Does the picture show a dog? yes or no? Answer:",
        "<ref>the dog</ref><box>",
    ),
}  # fmt: skip
SAID = {"CogVLM-base": "the dog [[100,200,500,999]]", "Qwen-VL": "<ref>the dog</ref><box>(100,200),(500,999)</box>"}


@pytest.mark.parametrize("family", WORDS)
def test_a_family_is_asked_in_its_own_words(server: Server, family: str) -> None:
    asked = model(server, family)
    asked.caption([RED])
    asked.answer([RED], "why?")
    asked.judge("a dog", [RED])
    assert [only_words(body) for body in server.bodies] == list(WORDS[family][:3])


def only_words(body: dict[str, Any]) -> str:
    """The words of a request that is one picture and then words."""
    (message,) = body["messages"]
    assert message["role"] == "user"
    assert [part["type"] for part in message["content"]] == ["image_url", "text"]
    words: str = message["content"][1]["text"]
    return words


@pytest.mark.parametrize("family", [family for family, words in WORDS.items() if words[3]])
def test_a_family_that_points_is_asked_in_its_own_words_and_its_box_is_read(server: Server, family: str) -> None:
    server.says = SAID.get(family, SAID["Qwen-VL"])
    box = model(server, family).ground(RED, "the dog")[0]
    assert (box.label, box.left, box.top, box.right, box.bottom) == ("the dog", 0.1, 0.2, 0.5, 0.999)
    assert only_words(server.bodies[-1]) == WORDS[family][3]
    assert server.bodies[-1]["skip_special_tokens"] is False


@pytest.mark.parametrize("family", [family for family, words in WORDS.items() if not words[3]])
def test_a_family_that_cannot_point_says_so(server: Server, family: str) -> None:
    with pytest.raises(UsageError, match="cannot point"):
        model(server, family).ground(RED, "the dog")
    assert server.bodies == []


def test_every_family_that_only_servers_have_is_checked() -> None:
    assert set(WORDS) == {family.name for family in families.FAMILIES if family.route is Backend.ENDPOINT}


def test_too_many_pictures_are_refused_before_anything_is_sent(server: Server) -> None:
    with pytest.raises(UsageError, match="at most 1 pictures"):
        model(server, "CogVLM-chat").answer([RED, BLUE], "which?")
    assert server.bodies == []


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["500", "503", "429", "half"])
def test_what_passes_is_tried_again(server: Server, failure: str) -> None:
    server.failures = [failure, failure]
    assert model(server).caption([RED]) == ["red"]
    assert len(server.bodies) == 3


def test_a_slow_answer_is_given_up_and_tried_again(server: Server) -> None:
    server.failures = ["slow"]
    assert model(server, timeout=0.3, pause=0.0, tries=100).caption([RED]) == ["red"]
    assert len(server.bodies) > 1


@pytest.mark.parametrize(
    ("failures", "kind", "says"),
    [
        (["500"] * 4, ModelUnavailable, "failed 4 times: 500 failure 500"),
        (["half"] * 4, ModelUnavailable, "broke off"),
        (["401"], ModelError, "refuses tiny: 401 failure 401"),
        (["prose"], ModelError, "not with JSON .*It works"),
        (["other"], ModelError, "not as a chat completion"),
    ],
    ids=["500", "half", "401", "prose", "other"],
)
def test_what_stays_wrong_is_one_clear_error(server: Server, failures: list[str], kind: type, says: str) -> None:
    server.failures = list(failures)
    with pytest.raises(kind, match=says) as caught:
        model(server).chat([user(RED, "what?")])
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_server_that_never_answers_in_time_is_one_clear_error(server: Server) -> None:
    server.failures = ["slow"] * 4
    with pytest.raises(ModelUnavailable, match="no answer within 0 s"):
        model(server, timeout=0.3).chat([user(RED, "what?")])


def test_an_empty_answer_is_an_error(server: Server) -> None:
    server.says = "  "
    with pytest.raises(ModelError, match="answered with nothing"):
        model(server).caption([RED])


@pytest.mark.usefixtures("server")
def test_a_server_that_is_not_there_is_said_at_once() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(ModelUnavailable, match=r"no server answers .*--vlm"):
        model(Server(port=port)).caption([RED])


def test_a_wrong_path_is_said(server: Server) -> None:
    with pytest.raises(ModelError, match="404 no such path"):
        model(server, url=f"http://127.0.0.1:{server.port}/v2").caption([RED])

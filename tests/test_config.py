"""Settings: flags over the environment over the file over the defaults, and errors that name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.config import Settings, config_file, default_index, load
from retrieval.errors import RetrievalError, UsageError


def test_flags_go_over_the_environment_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    config_file().write_text('model = "file"\ndevice = "file"\nprecision = "file"\nbatch_size = 7\n')
    found = load({"RETRIEVAL_MODEL": "environment", "RETRIEVAL_DEVICE": "environment"}, model="flag", index=None)
    assert (found.model, found.device, found.precision, found.batch_size) == ("flag", "environment", "file", 7)


def test_without_anything_there_are_the_defaults() -> None:
    assert load({}) == Settings()


@pytest.mark.parametrize(
    ("content", "says"),
    [("modell = 'x'", "unknown setting 'modell'"), ("model = ", "cannot read"), ("batch_size = 'x'", "not a number")],
)
def test_a_wrong_file_is_an_error_that_names_it(content: str, says: str) -> None:
    config_file().write_text(content)
    with pytest.raises(UsageError, match=says):
        load({})


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        load({"RETRIEVAL_BATCH_SIZE": "0"})


def test_the_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_index({"RETRIEVAL_INDEX": "/x"}) == Path("/x")
    assert default_index({}).parts[-2:] == ("retrieval", "default")
    (tmp_path / "indexes" / "default").mkdir(parents=True)
    assert default_index({}).is_absolute(), "a folder that is there by chance decides nothing"
    (tmp_path / "indexes" / "default" / "library.json").touch()
    assert default_index({}) == Path("indexes/default")


def test_every_error_has_an_exit_code_and_stands_in_the_drawing() -> None:
    from retrieval import errors

    def tree(kind: type[RetrievalError]) -> list[type[RetrievalError]]:
        return [kind, *(each for sub in kind.__subclasses__() for each in tree(sub))]

    for kind in tree(RetrievalError):
        assert kind.__name__ in (errors.__doc__ or "")
        assert 1 <= kind.exit_code <= 6

"""Files that take another's place: whole or not at all, for their owner alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.runtime import private_files


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    private_files.write_text(path, "old")
    with pytest.raises(ZeroDivisionError), private_files.replacing(path) as stream:
        stream.write(b"half of the n")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    with private_files.replacing(path) as stream:
        stream.write(b"new")
    assert path.read_text() == "new"
    assert [*tmp_path.iterdir()] == [path], "nothing unfinished is left"


def test_a_new_file_is_its_owners_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    private_files.write_text(path, "new")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    private_files.write_text(path, "newer")
    assert path.stat().st_mode & 0o777 == 0o644

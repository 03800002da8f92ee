"""Reads parquet files by rows, with pyarrow (an optional dependency). Does not know what the columns mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import SourceError, UsageError


def rows(table: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a parquet file, with those of `columns` that it has (None: all).

    Raises:
        SourceError: the file cannot be read.
        UsageError: pyarrow is not installed.
    """
    parquet = arrow().parquet
    try:
        with parquet.ParquetFile(table) as file:
            names = [name for name in file.schema_arrow.names if columns is None or name.lower() in columns]
            for batch in file.iter_batches(columns=names):
                yield from batch.to_pylist()
    except (OSError, ValueError) as exc:  # pyarrow's own errors are of both kinds
        raise _unreadable(table, exc) from exc


def count(table: Path) -> int:
    """Return the number of rows of a parquet file.

    Raises:
        SourceError: the file cannot be read.
        UsageError: pyarrow is not installed.
    """
    try:
        return int(arrow().parquet.read_metadata(table).num_rows)
    except (OSError, ValueError) as exc:
        raise _unreadable(table, exc) from exc


def _unreadable(table: Path, cause: Exception) -> SourceError:
    return SourceError(f"cannot read {table}: {' '.join(str(cause).split())[:200]}")


def arrow() -> Any:
    """Return the module `pyarrow`, with `pyarrow.parquet` imported.

    Raises:
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise UsageError("parquet files need pyarrow; install it with `pip install 'retrieval[export]'`") from exc
    return pyarrow

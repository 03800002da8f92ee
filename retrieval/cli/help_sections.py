"""A command whose options are listed in sections, where there are too many for one list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click


class SectionedCommand(click.Command):
    """A command with `sections`: a title, and the names of the parameters that stand under it; others come last."""

    sections: Mapping[str, Sequence[str]] = {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section."""
        records = {param.name: param.get_help_record(ctx) for param in self.get_params(ctx)}
        for title, names in self.sections.items():
            rows = [row for name in names if (row := records.pop(name, None)) is not None]
            with formatter.section(title):
                formatter.write_dl(rows)
        with formatter.section("Options"):
            formatter.write_dl([row for row in records.values() if row is not None])

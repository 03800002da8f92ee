"""The options -v and -q: more, or less, on standard error. Warnings of the library's log are shown without -v, too."""

from __future__ import annotations

import logging

import click


def verbose_option() -> click.Option:
    """Return the option; it shows the log until the command ends."""
    return click.Option(
        ["-v", "--verbose"],
        count=True,
        expose_value=False,
        callback=_show_log,
        help="Show on standard error what is done; -vv also how long each step takes.",
    )


def quiet_option() -> click.Option:
    """Return the option -q: no progress and no remarks, only the answer and errors."""
    return click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        callback=lambda ctx, param, value: ctx.find_root().meta.update(quiet=True) if value else None,  # noqa: ARG005  # click's
        help="Print the answer and errors only: no progress, no remarks.",
    )


def _show_log(ctx: click.Context, param: click.Parameter, count: int) -> None:  # noqa: ARG001  # click's
    root, logger = ctx.find_root(), logging.getLogger("retrieval")
    if count <= root.meta.get(__name__, -1):
        return
    root.meta[__name__] = count  # so that the option may stand before the command's name, after it, or both
    handler = logging.StreamHandler()
    detailed = "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(logging.Formatter(detailed if count else "note: %(message)s", "%H:%M:%S"))
    level, handlers = logger.level, logger.handlers[:]
    logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(count, 2)])
    logger.handlers = [handler]

    def restore() -> None:
        logger.setLevel(level)
        logger.handlers = handlers

    root.call_on_close(restore)

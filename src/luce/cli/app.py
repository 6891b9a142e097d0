"""The commands gathered into one program, and the one place where failures become exit codes."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import Annotated

import typer

from luce.cli.check import check
from luce.cli.conform import conform
from luce.cli.explain import explain
from luce.cli.fit import fit
from luce.cli.predict import predict
from luce.cli.show_config import show_config
from luce.tables.failure import Failure

__all__ = ["app", "run"]

app = typer.Typer(
    name="luce",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train softmax classifiers on tables and apply them; explain the loss; check gradients written by hand.",
)
app.command()(fit)
app.command()(predict)
app.command()(check)
app.command()(conform)
app.command(context_settings={"ignore_unknown_options": True})(explain)  # -1 is a number
app.command("show-config")(show_config)


def _print_version(wanted: bool) -> None:
    if wanted:
        from luce import __version__

        typer.echo(f"luce {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def run(arguments: list[str]) -> int:
    """Run the program on the words after its name and return the exit code."""
    codecs.register_error("luce-plain", _plain)
    for name in ("COLUMNS", "LINES"):  # 0 stands for an unknown size, for which Rich would print nothing
        if os.environ.get(name) == "0":
            del os.environ[name]
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell, >&-
            setattr(sys, name, _Closed())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="luce-plain")
    try:
        app(arguments, prog_name="luce")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Failure as failure:
        print("luce: " + " ".join(str(failure).split()), file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        _drop_output()
        return 1
    except OSError as error:  # the output's own, files have theirs: a full disk behind a redirection
        _drop_output()
        print(f"luce: cannot write the output, {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


class _Closed(io.TextIOBase):
    """A standard stream that was closed before the program began: whatever is written to it fails."""

    @property
    def buffer(self) -> _Closed:
        """The stream of bytes below."""
        return self

    def write(self, text: object) -> int:
        """Raise OSError."""
        raise OSError(errno.EBADF, "it is closed")


def _drop_output() -> None:
    """Send to nowhere what is still to be flushed when the process ends."""
    if not isinstance(sys.stdout, _Closed):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Replace what the terminal's encoding has no sign for, the report's own signs by their ASCII forms."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = {"±": "+-", "·": ".", "…": "..."}
    return "".join(signs.get(sign, "?") for sign in error.object[error.start : error.end]), error.end

"""The command line: one file a verb; each verb calls one function of a wing. Its help wakes no framework."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys

import click

from zoo.cli.ending import Ended, ended_by_signals
from zoo.errors import ZooError
from zoo.text import printable

VERBS = {
    "list": "The families and sizes, with their parameters and multiply-adds.",
    "info": "All that is known of a family's sizes.",
    "pull": "Fetch or read somebody else's trained weights; writes a run folder.",
    "train": "Train a network; writes a run folder.",
    "evaluate": "Accuracy and confusions of a run or an artifact on its test images.",
    "export": "Make a proven artifact of a run: ONNX, SavedModel or both.",
    "verify": "Check an artifact anywhere: hashes, contract, golden answers.",
    "publish": "Give an artifact's SavedModel to TF Serving as its next version, or go back to an earlier one.",
    "predict": "Label images with an artifact.",
    "benchmark": "Latency, memory and accuracy of artifacts.",
    "doctor": "Versions, devices, limits, settings, and what each verb lacks.",
}
"""Each verb and its line in the help; the verb's module is imported when it is called."""


class Verbs(click.Group):
    """A group that knows its verbs' names and imports a verb's module when it runs."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The verbs in the order in which people use them."""
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The verb's command, from its module."""
        if name not in VERBS:
            return None
        command = importlib.import_module(f"zoo.cli.{name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Offer the nearest verb when there is none of that name."""
        from zoo.errors import did_you_mean

        if arguments and arguments[0] not in VERBS and not arguments[0].startswith("-"):
            raise ZooError(f"there is no verb '{arguments[0]}': {did_you_mean(arguments[0], VERBS)}")
        return super().resolve_command(context, arguments)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of verbs, without importing one."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="keras-zoo", prog_name="zoo")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Take a Keras model from its name to a proven, measured artifact."""


def main() -> None:
    """Run the command line and exit.

    With 0 where it is done, 1 where a gate or a check said no, 2 where the request was wrong, and 128 and the number of
    the signal that ended it: 130 for Ctrl-C, 143 for SIGTERM.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A label in a script that the terminal or the pipe does not have ends nothing: it is written as \uXXXX.
            stream.reconfigure(errors="backslashreplace")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # In a process of zoo's own, what a keras.json says of the backend is not asked; who sets the variable is refused.
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        with ended_by_signals():
            status = cli(standalone_mode=False) or 0
    except (Exception, KeyboardInterrupt, Ended) as error:
        if "--debug" in sys.argv[1:]:
            raise
        status, line = _status_and_line(error)
        click.echo(f"zoo: {printable(line)}", err=True)
    sys.exit(status if isinstance(status, int) else 0)


def _status_and_line(error: BaseException) -> tuple[int, str]:
    """The exit status and the one line that people get of an error."""
    if isinstance(error, ZooError):
        return error.exit_status, str(error)
    if isinstance(error, click.ClickException):
        verb = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "zoo"
        return 2, f"{' '.join(error.format_message().split())} (see '{verb} --help')"
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        hint = (
            "free some space, or choose another --out"
            if error.errno == errno.ENOSPC
            else "mend it, or choose another path"
        )
        return 2, f"{error.strerror or error}{place}: {hint}"
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return 130, "interrupted"
    if isinstance(error, Ended):
        return error.exit_status, (
            f"ended by {error}: what was half-written is removed, and a run that trained goes on with "
            "'zoo train --resume RUN'"
        )
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return 2, f"{what}: this was not foreseen; 'zoo --debug …' shows where it happened"

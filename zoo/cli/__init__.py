"""The command line: a module for each verb, which parses, calls the function of `zoo` and prints what it returns.

No help text imports a framework.
"""

from __future__ import annotations

import importlib
import io
import itertools
import os
import signal
import sys
import traceback
from pathlib import Path

import click

from zoo.cli.ending import Ended, ended_by_signals
from zoo.errors import ZooError, class_and_message, out_of_memory
from zoo.files import FULL
from zoo.tensorflow_setup import BACKEND
from zoo.text import printable

VERBS = {
    "list": "List the families and sizes, with their parameters and multiply-adds.",
    "info": "Show everything that is known about a family, a run or an artifact.",
    "recipes": "List the recipes for training a family, with their sources and costs.",
    "pull": "Fetch published weights, or read them from a file, into a run folder.",
    "pretrain": "Train a network without labels; write a run folder for 'zoo train --weights'.",
    "train": "Train a network; write a run folder.",
    "tune": "Search for a better recipe: train trials and compare them on validation examples.",
    "scale": "Measure the gain from size: train a family at several sizes and widths, and fit a power law.",
    "evaluate": "Measure a run or an artifact on its test examples; write its figures and a drawing.",
    "export": "Export a run to a proven artifact: ONNX, SavedModel or both.",
    "verify": "Check an artifact on any machine: hashes, contract, golden answers.",
    "publish": "Publish an artifact's SavedModel to TF Serving as its next version, or go back to an earlier one.",
    "copy": "Copy a run, an artifact or an evaluation to an object store, or back.",
    "predict": "Run an artifact on the examples in files.",
    "benchmark": "Measure latency and memory of artifacts, and list them with their scores.",
    "data": "Serve data to trainings on other machines.",
    "doctor": "Show versions, devices, limits and settings, and what each verb lacks.",
}
"""Each verb and its line in the help. A verb's module is imported when the verb is called."""


class Verbs(click.Group):
    """A command group that imports a verb's module only when that verb is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """List the verbs in the order in which people use them."""
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a verb's command from its module."""
        if name not in VERBS:
            return None
        command = importlib.import_module(f"zoo.cli.{name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse an unknown verb, and suggest the nearest one."""
        from zoo.errors import did_you_mean

        if arguments and arguments[0] not in VERBS and not arguments[0].startswith("-"):
            raise ZooError(f"there is no verb '{arguments[0]}': {did_you_mean(arguments[0], VERBS)}")
        return super().resolve_command(context, arguments)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="keras-zoo", prog_name="zoo")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Train, export, check and measure Keras networks."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """Run the command line and exit.

    The exit status is 0 when the request is done, 1 when a gate or a check failed, 2 when the request was wrong, 138
    when another worker of the training was lost, and 128 plus the signal's number when a signal ended it: 130 for
    Ctrl-C, 143 for SIGTERM, 141 when the reader of its output has gone.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the caller has closed it
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Characters that the terminal's encoding lacks are written as \uXXXX instead of raising an error.
            stream.reconfigure(errors="backslashreplace")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # zoo's own process ignores the backend of a keras.json. A KERAS_BACKEND that names another one is refused.
    os.environ.setdefault("KERAS_BACKEND", BACKEND)
    try:
        with ended_by_signals():
            status = cli(standalone_mode=False) or 0
    except SystemExit:  # click (8.3) ends so if the reader of standard output has closed it
        status = 128 + signal.SIGPIPE
    except (Exception, KeyboardInterrupt, Ended) as error:
        if "--debug" in itertools.takewhile(lambda word: word.startswith("-"), sys.argv[1:]):
            traceback.print_exc()
        status, line = _status_and_line(error)
        click.echo(f"zoo: {printable(line)}", err=True)
    sys.exit(status if isinstance(status, int) else 0)


def _status_and_line(error: BaseException) -> tuple[int, str]:
    """Return the exit status and the one line that is printed for an error."""
    if isinstance(error, ZooError):
        return error.exit_status, str(error)
    if isinstance(error, click.ClickException):
        verb = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "zoo"
        return 2, f"{' '.join(error.format_message().split())} (see '{verb} --help')"
    if isinstance(error, OSError):
        file_note = f" ({error.filename})" if error.filename else ""
        hint = (
            "free some space, or choose another --out"
            if error.errno in FULL
            else "check that this path exists and that you may read and write it, or name another one"
        )
        return 2, f"{error.strerror or error}{file_note}: {hint}"
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return 130, "interrupted"
    if isinstance(error, Ended):
        return error.exit_status, (
            f"ended by {error}: half-written files are removed; continue a training with 'zoo train --resume FOLDER', "
            "and a study or a series of networks by repeating its command"
        )
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != "zoo":
        from zoo.installation import missing

        return 2, missing(error.name)
    message = class_and_message(error, 300)
    if out_of_memory(error):
        return 2, (
            f"there is not enough memory ({message}): end other programs that use it, or compute smaller batches, such "
            "as --set accumulate=4 of a training"
        )
    return 2, f"{message}: an unexpected error; 'zoo --debug …' prints its traceback"

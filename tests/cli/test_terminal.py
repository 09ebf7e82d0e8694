"""Output on a terminal, read through a pseudo-terminal: progress bars, tables that fit, colors; and none in a pipe."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pty
import re
import struct
import termios
from pathlib import Path

import pytest

from tests import processes
from zoo.cli.output import PLAIN_WIDTH

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""Sequences that color text and move the cursor."""

ERASE = "\x1b[2K"
"""The sequence that clears a line."""

COLUMNS = 110


@dataclasses.dataclass(frozen=True)
class Screen:
    """The exit status of a command, and its whole output on a terminal."""

    status: int
    written: str

    @property
    def text(self) -> str:
        """The output without colors and movements of the cursor."""
        return CONTROL.sub("", self.written).replace("\r\n", "\n")

    @property
    def final(self) -> list[str]:
        """The final lines on the screen, on a terminal that interprets the control sequences of rich."""
        rows, row, column = [""], 0, 0
        for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", self.written):
            if token == "\r":
                column = 0
            elif token == "\n":
                row += 1
                rows += [""] * (row + 1 - len(rows))
            elif token == ERASE:
                rows[row] = ""
            elif token.endswith("A") and token.startswith("\x1b"):
                row = max(0, row - int(token[2:-1] or 1))
            elif not token.startswith("\x1b"):
                rows[row] = rows[row].ljust(column)[:column] + token + rows[row][column + len(token) :]
                column += len(token)
        return [line.rstrip() for line in rows]


def on_terminal(place: Path, *arguments: str, columns: int = COLUMNS) -> Screen:
    """Run `zoo` with standard output and standard error on a pseudo-terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    variables = {"NO_COLOR": None, "COLUMNS": None, "CI": None, "TERM": "xterm-256color"}
    process = processes.Process("zoo", *arguments, cwd=place, env=variables, terminal=theirs)
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # Linux reports the end so
        while part := os.read(ours, 65536):
            written += part
    os.close(ours)
    return Screen(process.wait(), written.decode())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Screen]:
    """A folder in which a network was trained, and the terminal of that training."""
    place = tmp_path_factory.mktemp("terminal")
    return place, on_terminal(place, "train", "cnn", "--epochs", "2")


@pytest.fixture(scope="module")
def exported(trained: tuple[Path, Screen]) -> tuple[Path, Screen]:
    return trained[0], on_terminal(trained[0], "export", "--onnx")


def test_a_training_shows_a_bar_and_leaves_a_line_for_each_epoch(trained: tuple[Path, Screen]) -> None:
    _, screen = trained
    assert screen.status == 0, screen.text
    drawn = re.findall(
        r"(\d+)/(\d+) epoch (\d)/2  \d+ examples/s  loss \d\.\d{4} +(\d+:\d\d:\d\d|-:--:--)", screen.text
    )
    assert len(drawn) > 2, screen.text
    done, totals, epochs, _ = zip(*drawn, strict=True)
    assert len(set(totals)) == 1
    assert [int(one) for one in done] == sorted(int(one) for one in done)
    assert done[-1] == totals[-1]
    assert set(epochs) == {"1", "2"}
    kept = [line for line in screen.final if line.startswith("epoch ")]
    assert [line.split()[1] for line in kept] == ["1/2", "2/2"]
    assert not [line for line in screen.final if "━" in line], "the bar is taken away"
    assert screen.final[-2].startswith("runs/cnn-small-digits: test accuracy")
    assert screen.written.count("\x1b[?25l") == screen.written.count("\x1b[?25h") > 0, "the cursor is back"


def test_the_bar_is_taken_away_from_an_error(trained: tuple[Path, Screen]) -> None:
    screen = on_terminal(trained[0], "train", "cnn", "--epochs", "0")
    assert screen.status == 2
    assert screen.final == ["zoo: recipe: epochs should be greater than or equal to 1, not '0'", ""]
    assert screen.written.count("\x1b[?25l") == screen.written.count("\x1b[?25h")


def test_an_export_shows_its_gates_in_color(exported: tuple[Path, Screen]) -> None:
    _, screen = exported
    assert screen.status == 0, screen.text
    assert re.search(r"gate +status +figures", screen.text)
    assert "\x1b[32mpassed" in screen.written
    assert re.search(r"ONNX nodes +tf2onnx +file +fused", screen.text)
    assert max(map(len, screen.final)) <= COLUMNS


def test_a_benchmark_shows_a_bar_then_tables_with_units(exported: tuple[Path, Screen]) -> None:
    arguments = ("benchmark", "--batch", "1,2", "--threads", "1", "--seconds", "0.2")
    screen = on_terminal(exported[0], *arguments, columns=130)
    assert screen.status == 0, screen.text
    steps = re.findall(r"(\d+)/13 (reading onnxruntime|artifacts/\S+ onnx: loading|latency|done)", screen.text)
    # The bar is drawn several times a second, and a short step may lie between two drawings.
    numbers = [int(step) for step, _ in dict.fromkeys(steps)]
    assert numbers == sorted(numbers), screen.text
    assert {0, 1, 2, 13} <= {*numbers}, screen.text
    final = "\n".join(screen.final)
    assert "━" not in final
    assert re.search(r"p50 ms +p90 ms +p99 ms +runs +examples/s +load ms +first ms +peak MiB", final)
    assert re.search(r"file MB +parameters +multiply-adds +score \(95 % interval\)", final)
    assert max(map(len, screen.final)) <= 130


@pytest.mark.parametrize(
    ("arguments", "header"),
    [
        (["list"], r"family +size +alias +input +parameters +multiply-adds \(M\) +input shape +classes"),
        (["info", "vit"], r"size +tag +input +license +repository"),
        (["info", "runs/cnn-small-digits"], r"multiply-adds +\d+\.\d M"),
        (["verify"], r"gate +status +figures"),
        (["evaluate"], r"class +precision +recall +f1 +examples"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_tables_say_their_units_and_are_the_same_in_a_pipe(
    exported: tuple[Path, Screen], arguments: list[str], header: str
) -> None:
    screen = on_terminal(exported[0], *arguments, columns=PLAIN_WIDTH)
    assert screen.status == 0, screen.text
    assert re.search(header, screen.text)
    piped = processes.run("zoo", *arguments, cwd=exported[0])
    assert piped.returncode == 0, piped.stderr
    assert "\x1b" not in piped.stdout + piped.stderr
    shown = [line.split() for line in screen.final]
    table = [line.split() for line in piped.stdout.splitlines() if "─" not in line]
    assert all(line in shown for line in table)

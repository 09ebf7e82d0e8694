"""Batches from tf.data servers: identical to those without servers, and refusals in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from tests.conftest import Answer, write_images
from tests.processes import wait_for
from tests.training.ports import on_loopback
from tests.training.test_training import train
from tests.trainings import SINGLE
from zoo import run
from zoo.data.load import load
from zoo.data.servers import serving
from zoo.data.share import WHOLE, Share
from zoo.description import Model
from zoo.errors import ZooError
from zoo.input import find
from zoo.recipe import Recipe, Split
from zoo.training import data_service, start
from zoo.training.batches import Batches
from zoo.training.data_service import DataService, connect

LIMIT = 120.0

GRACE = 30.0
"""The seconds that Kubernetes leaves a process between SIGTERM and SIGKILL."""


class Served:
    """`zoo data serve` in a process of its own."""

    def __init__(self, workers: int) -> None:
        port = int(on_loopback(2 * workers).workers[0].rpartition(":")[2])
        command = [sys.executable, "-m", "zoo", "data", "serve", "--port", str(port), "--servers", str(workers)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout
        late = threading.Timer(LIMIT, self.process.kill)
        late.start()
        self.text = self.process.stdout.readline().strip()
        late.cancel()
        self.addresses = self.text.split(",")
        assert len(self.addresses) == workers, self.process.communicate()[1]

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; return the exit status, and what was said on standard error."""
        self.process.send_signal(number)
        return self.process.returncode or self.process.wait(GRACE), self.process.communicate(timeout=LIMIT)[1]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Two servers, which end cleanly."""
    servers = Served(2)
    yield servers
    status, said = servers.end(signal.SIGTERM)
    assert (status, said) == (0, "serving until Ctrl-C\n")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that TensorFlow decodes directly: PNGs without text chunks, and JPEGs."""
    folder = write_images(tmp_path_factory.mktemp("images") / "served", classes=2, each=20, side=16)
    for path in folder.glob("*/1*.png"):
        Image.open(path).save(path.with_suffix(".jpg"), quality=90)
        path.unlink()
    return folder


def batches_of(source: str, kind: str, service: DataService | None = None, **settings: Any) -> Batches:
    found = find(kind)
    data = load(source, kind, split=Split(), options={"target": "target"} if source.startswith("csv") else {})
    recipe = Recipe(input=found.settings(**settings), batch_size=4, seed=3)
    model = Model("cnn", "small", data.labels, found.data.suiting(data, recipe.input, None), 0, 0)
    return Batches(data.train, model, recipe, service=service)


def arrays(batches: Batches, *place: Any) -> list[list[np.ndarray]]:
    return [
        [*inputs.values(), *others]
        for inputs, *others in batches.epoch(*place).as_numpy_iterator()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "kind", "settings"),
    [("folder", "image", {"flip": True, "smallest_crop": 0.5}), ("iris", "table", {}), ("messages", "text", {})],
)
@pytest.mark.parametrize("share", [WHOLE, pytest.param(Share(1, 2), marks=pytest.mark.full)])
def test_batches_of_servers_are_those_of_this_process(
    source: str, kind: str, settings: dict[str, Any], share: Share, served: Served, images: Path
) -> None:
    source = f"folder:{images}" if source == "folder" else source
    own = arrays(batches_of(source, kind, **settings), 1, 2, share)
    assert len(own) >= 3
    for addresses in (served.addresses, served.addresses[:1]):
        others = arrays(batches_of(source, kind, DataService(tuple(addresses)), **settings), 1, 2, share)
        for batch, other in zip(own, others, strict=True):
            for mine, theirs in zip(batch, other, strict=True):
                np.testing.assert_array_equal(mine, theirs)


class AtStep(keras.callbacks.Callback):
    """Does something before a step, counted over all epochs. It asks for the figures of no batch."""

    def __init__(self, step: int, action: Callable[[], Any]) -> None:
        super().__init__()
        self.left, self.action = step, action

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            self.action()


TINY = ("epochs=2", "batch_size=4", "image.flip=true", "image.smallest_crop=0.5", "keep=last", "split.validation=0.2")
TABLE = ("epochs=2", "batch_size=16", "keep=last")


def assert_same(first: Path, second: Path) -> None:
    for name in (run.WEIGHTS, run.LAST):
        one, two = load_file(first / name), load_file(second / name)
        assert one.keys() == two.keys()
        for key, value in one.items():
            np.testing.assert_array_equal(value, two[key], err_msg=f"{name} {key}")


@pytest.mark.parametrize("family", ["linear", pytest.param("cnn", marks=pytest.mark.full)])
def test_weights_are_those_of_a_run_without_servers(family: str, served: Served, images: Path, tmp_path: Path) -> None:
    """Also if a signal ends a run with servers within an epoch, and other servers or none resume it."""
    source, settings = ("iris", TABLE) if family == "linear" else (f"folder:{images}", TINY)
    asked: dict[str, Any] = {"family": family, "source": source}
    train(tmp_path / "without", *settings, **asked)
    if family == "cnn":
        train(tmp_path / "with", *settings, **asked, tf_data_service=served.text)
        assert_same(tmp_path / "without", tmp_path / "with")

    end = AtStep(9, partial(signal.raise_signal, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "ended", *settings, **asked, tf_data_service=served.text, callbacks=[end])
    end = AtStep(2, partial(signal.raise_signal, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        other = dataclasses.replace(SINGLE, tf_data_service=served.addresses[1], callbacks=[end])
        start.resume(tmp_path / "ended", None, other)
    start.resume(tmp_path / "ended", None, SINGLE)
    assert_same(tmp_path / "without", tmp_path / "ended")


@pytest.mark.full
def test_what_was_done_before_a_server_was_lost_is_saved(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"family": "linear", "source": "iris"}
    train(tmp_path / "without", *TABLE, **asked)
    server = Served(1)
    kill = AtStep(3, server.process.kill)
    with pytest.raises(ZooError, match=f"the tf.data service at {server.text} does not answer: continue with"):
        train(tmp_path / "lost", *TABLE, **asked, tf_data_service=server.text, callbacks=[kill])
    server.process.wait(LIMIT)
    assert (tmp_path / "lost" / run.LAST).exists(), "within the first epoch"
    start.resume(tmp_path / "lost", None, SINGLE)
    assert_same(tmp_path / "without", tmp_path / "lost")


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_a_server_that_is_gone_ends_the_training_and_it_goes_on_without(
    number: signal.Signals, images: Path, tmp_path: Path
) -> None:
    """The trainings are processes of their own, to test that no thread that waits for the server keeps one alive."""
    source, settings = f"folder:{images}", [word for one in TINY for word in ("--set", one)]
    train(tmp_path / "without", *TINY, "epochs=40", source=source)
    server = Served(1)
    command = [sys.executable, "-m", "zoo", "train", "cnn", "--data", source, *settings, "--epochs", "40"]
    options = ["--out", "run", "--tf-data-service", server.text, "--checkpoint-minutes", "60"]
    training = subprocess.Popen([*command, *options], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_for((tmp_path / "run" / run.METRICS).exists, training)
    server.process.send_signal(number)
    _, said = training.communicate(timeout=LIMIT)
    if number != signal.SIGTERM:
        server.process.kill()
    server.process.wait(LIMIT)
    assert number != signal.SIGTERM or server.process.returncode == 0, "it ended cleanly while it served"
    assert training.returncode == 2, said
    assert re.fullmatch(
        rf"zoo: the (worker of the )?tf.data service at {server.text} .*: continue with .*", said.splitlines()[-1]
    )
    assert "Traceback" not in said
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "train", "--resume", "run"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "without", tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("here", "write HOST:PORT"),
        ("", "write HOST:PORT"),
        ("a:1,a:1", "names a:1 twice"),
        ("127.0.0.1:1", "the tf.data service at 127.0.0.1:1 does not answer: start 'zoo data serve' there, or leave"),
    ],
)
def test_addresses_that_are_none_are_refused(text: str, why: str) -> None:
    with pytest.raises(ZooError, match=re.escape(why)):
        connect(text)


def test_an_empty_address_is_no_training_without_servers(zoo_command: Callable[..., Answer], tmp_path: Path) -> None:
    answer = zoo_command("train", "cnn", "--data", "digits", "--tf-data-service", "", "--out", tmp_path / "run")
    assert answer.status == 2
    assert "write HOST:PORT" in answer.err
    assert not (tmp_path / "run").exists()


def test_a_port_that_accepts_and_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_service, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before = time.monotonic()
        with pytest.raises(ZooError, match="does not answer"):
            connect(f"127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - before < 5


def test_two_workers_of_one_dispatcher_are_refused() -> None:
    from tensorflow.data.experimental.service import WorkerConfig, WorkerServer

    port = int(on_loopback(2).workers[0].rpartition(":")[2])
    with serving("localhost", port, 1) as servers:
        (address,) = servers.addresses
        second = WorkerServer(WorkerConfig(dispatcher_address=address, protocol="grpc"))
        with pytest.raises(ZooError, match=f"{address} has 2 workers, and only a single one keeps batches in order"):
            connect(address)
        second.stop()


def test_a_worker_that_cannot_be_reached_is_refused() -> None:
    port = int(on_loopback(2).workers[0].rpartition(":")[2])
    with serving("localhost", port, 1) as servers, pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_service, "_workers", lambda address: ["127.0.0.1:1"])
        with pytest.raises(ZooError, match=r"does not answer at 127\.0\.0\.1:1, which --host of"):
            connect(servers.addresses[0])


def test_examples_that_python_reads_are_refused(tmp_path: Path, images: Path) -> None:
    Image.new("RGB", (16, 16), (200, 30, 30)).save(images / "class0/odd.bmp")
    try:
        with pytest.raises(ZooError, match="these images are read by Python, which servers do not run"):
            batches_of(f"folder:{images}", "image", DataService(("127.0.0.1:1",))).try_out()
    finally:
        (images / "class0/odd.bmp").unlink()


def test_a_server_that_sees_no_files_is_refused(served: Served, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server runs on this machine, so the files are moved away after this process has made its batch."""
    batches = batches_of(f"folder:{images}", "image", DataService((served.addresses[0],)))
    elsewhere, values = images.with_name("elsewhere"), data_service._values

    def then_moved(made: Any) -> Any:
        found = values(made)
        images.rename(elsewhere)
        return found

    monkeypatch.setattr(data_service, "_values", then_moved)
    try:
        with pytest.raises(ZooError, match=r"tf.data service at \S+ failed \(.*No such file"):
            batches.try_out()
    finally:
        elsewhere.rename(images)


def test_batches_that_differ_are_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = batches_of("iris", "table", DataService((served.addresses[0],)))
    batches.try_out()
    values = data_service._values
    monkeypatch.setattr(data_service, "_values", lambda batches: [values(batches), os.urandom(8)])
    with pytest.raises(ZooError, match="differs from that of this machine"):
        batches.try_out()


def test_a_batch_that_is_lost_is_noticed(served: Served) -> None:
    import tensorflow as tf

    service = DataService((served.addresses[0],))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tf.data.Dataset,
            "enumerate",
            lambda self, enumerated=tf.data.Dataset.enumerate: enumerated(self).filter(lambda number, _: number != 1),
        )
        batches = service.batches(lambda share: tf.data.Dataset.range(4), WHOLE)
    with pytest.raises(ZooError, match="a batch was lost, or a worker was started again"):
        [*service.arriving(batches)]


def test_servers_forget_what_came_before(tmp_path: Path) -> None:
    import tensorflow as tf

    port = int(on_loopback(2).workers[0].rpartition(":")[2])
    with serving("localhost", port, 1) as servers:
        made = DataService(servers.addresses).batches(lambda share: tf.data.Dataset.range(4), WHOLE)
        assert [*made.as_numpy_iterator()] == [0, 1, 2, 3]
        assert len([*servers.folder.rglob("datasets/*")]) == 1
        servers.forget(0)
        assert len([*servers.folder.rglob("datasets/*")]) == 1
        servers.forget(time.time() + 1)
        assert not [*servers.folder.rglob("datasets/*")]
    assert not servers.folder.exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--servers", "0"], "zoo: --servers 0: at least 1 is needed"),
        (["--port", "65535"], "zoo: --port 65535: 1 servers take 2 ports"),
        (["--host", "no such host"], "zoo: --host 'no such host' is not the name of a machine"),
        (["--port", "TAKEN"], "cannot be used (Address already in use): choose another --port"),
    ],
)
def test_servers_that_cannot_be_had_are_refused(
    options: list[str], why: str, zoo_command: Callable[..., Answer]
) -> None:
    with contextlib.ExitStack() as stack:
        taken = stack.enter_context(socket.create_server(("", 0))).getsockname()[1]
        answer = zoo_command("data", "serve", *(str(taken) if one == "TAKEN" else one for one in options))
    assert answer.status == 2
    assert why in answer.err
    assert answer.err.count("\n") == 1

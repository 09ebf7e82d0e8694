"""Workers watch each other; in these tests, threads simulate the processes, without TensorFlow."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.training.ports import on_loopback
from zoo.errors import ZooError
from zoo.training import gathering, team, worker_limits
from zoo.training.cluster import Cluster
from zoo.training.gathering import gathered
from zoo.training.interruption import EndRequest
from zoo.training.strategy import check_gpus
from zoo.training.team import Team, WorkerLost, Workers

Body = Callable[[Team], Any]


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Set short limits, and yield the exit statuses of workers that are ended by force; a test leaves it empty."""
    limits = {"JOIN": 5.0, "BEAT": 0.02, "SILENT": 5.0, "STALL": 5.0, "GRACE": 5.0, "HARD": 10.0}
    for name, seconds in limits.items():
        monkeypatch.setattr(worker_limits, f"{name}_SECONDS", seconds)
    statuses: list[int] = []
    monkeypatch.setattr(team.os, "_exit", statuses.append)
    yield statuses
    for thread in threading.enumerate():
        # Python 3.11 names a thread by its function. Afterwards, it would call the real `os._exit`.
        if thread.name.endswith(f"({Workers._end_process.__name__})"):
            thread.join(20)
            assert not thread.is_alive()
    assert not statuses, "a worker did not end by itself"


def together(cluster: Cluster, body: Body) -> list[Any]:
    """Return the result of each worker of a cluster, or the error that it raised."""
    results: list[Any] = [None] * len(cluster.workers)

    def work(index: int) -> None:
        try:
            with gathered(Cluster(cluster.workers, index)) as joined:
                results[index] = body(joined)
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=work, args=[index], daemon=True) for index in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return results


def steps_for_ever(member: Team) -> None:
    while True:
        with member.collective():
            time.sleep(0.01)


def until_lost(member: Workers) -> None:
    """Wait until a worker is lost, at most ten seconds."""
    with member._changed:
        assert member._changed.wait_for(lambda: member._lost, 10)


def lost_in(results: list[Any], index: int) -> list[WorkerLost]:
    """The errors of all workers but one."""
    others = [result for number, result in enumerate(results) if number != index]
    assert all(isinstance(error, WorkerLost) for error in others), others
    return others


def test_all_have_the_chiefs_text() -> None:
    found = together(on_loopback(3), lambda member: [member.broadcast(text if member.chief else None) for text in "äb"])
    assert found == [["ä", "b"]] * 3


def test_a_worker_alone_has_its_own() -> None:
    with gathered(None) as alone:
        assert (alone.chief, alone.count, alone.broadcast("text")) == (True, 1, "text")
        request = EndRequest()
        assert not alone.asked(request)
        request.number = 15
        assert alone.asked(request)


@pytest.mark.parametrize("index", [0, 2])
@pytest.mark.parametrize("moment", [0, 7])
def test_all_end_at_the_same_step_whoever_is_asked(index: int, moment: int) -> None:
    step = threading.Barrier(3)

    def body(member: Team) -> tuple[int, int | None]:
        request, steps = EndRequest(), 0
        while True:
            if (member.index, steps) == (index, moment):
                request.number = 15
            step.wait(10)
            steps += 1
            if member.asked(request):
                return steps, request.number

    first, *others = together(on_loopback(3), body)
    assert first[0] > moment
    assert first[1] == 15
    assert others == [first, first]


def test_a_worker_that_is_gone_is_named_by_all() -> None:
    cluster = on_loopback(3)

    def body(member: Team) -> None:
        assert isinstance(member, Workers)
        if member.index == 1:
            member._leaving = True
            member._connections[0].close()
        else:
            steps_for_ever(member)

    for error in lost_in(together(cluster, body), 1):
        assert str(error) == f"worker 1 ({cluster.workers[1]}) is gone: it was killed, or its machine failed"
        assert error.exit_status == 138


def test_an_error_of_one_worker_is_told_to_all() -> None:
    cluster = on_loopback(3)

    def body(member: Team) -> None:
        if member.index == 2:
            raise ZooError("the data have changed")
        steps_for_ever(member)

    for error in lost_in(together(cluster, body), 2):
        assert str(error) == f"worker 2 ({cluster.workers[2]}) ended: the data have changed"
        assert error.exit_status == 2


def test_an_error_that_a_lost_worker_causes_names_that_worker() -> None:
    def body(member: Team) -> None:
        if member.index == 1:
            time.sleep(0.2)
            raise ZooError("no space left")
        raise OSError("connection reset by peer")

    (error,) = lost_in(together(on_loopback(2), body), 1)
    assert "ended: no space left" in str(error)


def test_a_worker_that_waits_for_a_text_learns_of_a_loss() -> None:
    def body(member: Team) -> None:
        if member.chief:
            raise ZooError("runs/a exists already")
        member.broadcast()

    (error,) = lost_in(together(on_loopback(2), body), 0)
    assert "runs/a exists already" in str(error)


def test_a_worker_that_does_not_come_to_a_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_limits, "STALL_SECONDS", 2.0)
    cluster = on_loopback(3)

    def body(member: Team) -> None:
        assert isinstance(member, Workers)
        for _ in range(2):
            with member.collective():
                pass
        with contextlib.nullcontext() if member.index == 2 else member.collective():
            until_lost(member)
        with member.collective():
            pass

    for error in together(cluster, body):
        assert str(error).startswith(f"worker 2 ({cluster.workers[2]}) did not come to the step in which the others")


def test_a_worker_that_waits_for_a_lost_one_is_ended_by_force(
    ended: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entered = threading.Event()

    def body(member: Team) -> None:
        if member.index == 1:
            entered.wait(10)
            raise ZooError("no space left")
        monkeypatch.setattr(worker_limits, "GRACE_SECONDS", 0.2)
        with member.collective():
            entered.set()
            until = time.monotonic() + 10
            while not ended and time.monotonic() < until:
                time.sleep(0.01)

    cluster = on_loopback(2)
    together(cluster, body)
    assert ended == [2]
    assert capsys.readouterr().err == f"zoo: worker 1 ({cluster.workers[1]}) ended: no space left\n"
    ended.clear()


def test_a_worker_that_writes_a_checkpoint_ends_after_it(
    ended: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In production, its training waits in the collective meanwhile, and a thread writes."""
    entered, written = threading.Event(), threading.Event()
    ended_before: list[int] = []

    def body(member: Team) -> None:
        if member.index == 1:
            entered.wait(10)
            raise ZooError("no space left")
        monkeypatch.setattr(worker_limits, "GRACE_SECONDS", 0.2)
        member.spare_while(lambda: not written.is_set())
        with member.collective():
            entered.set()
            assert isinstance(member, Workers)
            until_lost(member)
            time.sleep(1)
            ended_before.extend(ended)
            written.set()
            until = time.monotonic() + 10
            while not ended and time.monotonic() < until:
                time.sleep(0.01)

    together(on_loopback(2), body)
    assert written.is_set()
    assert not ended_before
    assert ended == [2]
    assert "no space left" in capsys.readouterr().err
    ended.clear()


def test_a_worker_that_reads_its_data_for_long_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_limits, "STALL_SECONDS", 0.2)
    waited = threading.Event()

    def body(member: Team) -> str:
        with member.collective():
            pass
        if member.chief:
            with member.collective():
                waited.wait(60)
        else:
            time.sleep(0.6)
            waited.set()
            with member.collective():
                pass
        return member.broadcast("done" if member.chief else None)

    assert together(on_loopback(2), body) == ["done"] * 2


def test_steps_that_are_long_on_all_workers_are_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_limits, "STALL_SECONDS", 0.2)

    def body(member: Team) -> str:
        with member.collective():
            time.sleep(0.6)
        return member.broadcast("done" if member.chief else None)

    assert together(on_loopback(2), body) == ["done"] * 2


def test_a_worker_that_sends_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_limits, "SILENT_SECONDS", 2.0)
    cluster = on_loopback(3)
    tell = Workers._tell

    def mute(member: Workers, **message: Any) -> None:
        if member.index != 1:
            tell(member, **message)

    monkeypatch.setattr(Workers, "_tell", mute)
    for error in lost_in(together(cluster, steps_for_ever), 1):
        assert str(error).startswith(f"worker 1 ({cluster.workers[1]}) sends nothing for 2 s")


def test_a_worker_that_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_limits, "JOIN_SECONDS", 0.5)
    cluster = on_loopback(2)
    with (
        pytest.raises(WorkerLost, match=rf"worker 1 \({cluster.workers[1]}\) did not come within 0.5 s"),
        gathered(cluster),
    ):
        pass
    with pytest.raises(WorkerLost, match="the chief, cannot be reached on port"), gathered(Cluster(cluster.workers, 1)):
        pass


def test_a_worker_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hello = gathering._hello
    monkeypatch.setattr(gathering, "_hello", lambda cluster: {**hello(cluster), "zoo": f"0.{cluster.index}"})
    for error in together(on_loopback(2), steps_for_ever):
        assert "has another version of zoo, or other workers than the chief" in str(error)


def test_a_worker_with_another_number_of_gpus_is_refused() -> None:
    cluster = on_loopback(3)

    def body(member: Team) -> None:
        check_gpus(member, 0 if member.index == 2 else 2)
        steps_for_ever(member)

    found = together(cluster, body)
    assert str(found[2]).startswith("this worker has 0 GPUs, and the chief 2: give all workers the same number")
    assert found[2].exit_status == 2
    for error in lost_in(found, 2):
        assert str(error).startswith(f"worker 2 ({cluster.workers[2]}) ended: this worker has 0 GPUs")
        assert error.exit_status == 2


def test_all_with_the_same_number_of_gpus_train() -> None:
    assert together(on_loopback(2), lambda member: check_gpus(member, 1)) == [None, None]


def test_strangers_on_the_port_change_nothing() -> None:
    cluster = on_loopback(2)
    results: list[int] = []
    address = cluster.watch()
    chief = threading.Thread(target=lambda: results.append(_count(cluster)))
    chief.start()
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            stranger = socket.create_connection(address)
            break
        except OSError:
            time.sleep(0.02)
    stranger.sendall(b"GET / HTTP/1.1\n")
    stranger.close()
    results.append(_count(Cluster(cluster.workers, 1)))
    chief.join(10)
    assert results == [2, 2]


def _count(cluster: Cluster) -> int:
    with gathered(cluster) as joined:
        return joined.count


def test_a_port_in_use_is_said() -> None:
    cluster = on_loopback(2)
    _, port = cluster.watch()
    with (
        socket.create_server(("", port)),
        pytest.raises(ZooError, match=f"port {port}, on which the chief"),
        gathered(cluster),
    ):
        pass

"""The search: trials in parallel processes, until the requested number of them is finished."""

from __future__ import annotations

import contextlib
import math
import selectors
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import provenance, run
from zoo.errors import ZooError, one_line
from zoo.schema import to_dict
from zoo.text import Progress, Say
from zoo.tuning.process import Died, StudyEnds, TrialProcess
from zoo.tuning.study import ENDED_EARLY, TRIALS, Study, Trial, changes_of
from zoo.tuning.trial import Settled, StudyRequest

MOST_DEATHS = 2
"""After this many deaths of its process, a trial counts as finished, without a value."""


@dataclass
class _Running:
    trial: Any
    place: int
    folder: Path
    epochs: int = 0


def folder_of(folder: Path, place: int) -> Path:
    """Return the run folder of the trial at a place."""
    return folder / TRIALS / f"{place:04}"


def search(
    folder: Path,
    study: Study,
    request: StudyRequest,
    settled: Settled,
    parallel: int,
    lock: int,
    say: Say,
    progress: Progress,
) -> list[Trial]:
    """Train trials until all are finished, and return them by place.

    Args:
        folder: of the study.
        study: its trials.
        request: the arguments that all trials have in common.
        settled: the settings that were derived from the request.
        parallel: the number of processes.
        lock: the descriptor of the folder's lock, which the processes inherit.
        say: called with a line for each trial that ends.
        progress: called with the number of finished trials.
    """
    done = {trial.place for trial in study.finished()}
    places = iter([place for place in range(request.trials) if place not in done])
    again: list[int] = []
    busy: dict[TrialProcess, _Running] = {}

    def begin(process: TrialProcess) -> None:
        """Give a process the next trial, if there is one left."""
        place = again.pop(0) if again else next(places, None)
        if place is None:
            return
        trial = study.ask(place)
        target = folder_of(folder, place)
        shutil.rmtree(target, ignore_errors=True)
        busy[process] = _Running(trial, place, target)
        size, settings = (None, []) if place == 0 else changes_of(trial.params)
        job = {"run": str(target), "size": size, "settings": settings}
        process.send(train={**job, "request": to_dict(request), "settled": to_dict(settled)})

    def end(running: _Running, value: float | None, reason: str, figures: dict[str, Any]) -> None:
        study.tell(running.trial, value, reason, figures)
        done.add(running.place)
        best = study.best()
        _keep_only(folder, best, {other.folder for other in busy.values()})
        shown = f"val {settled.metric} {value:.4f}" if value is not None else reason
        leader = f"; best so far: {best.value:.4f} of trial {best.place}" if best and best.value is not None else ""
        say(f"{len(done)} of {request.trials} finished: trial {running.place}: {shown}{leader}")
        progress(len(done), request.trials, f"trial {running.place}: {shown}")

    def listen(process: TrialProcess) -> bool:
        """Read an answer of a process, which may end its trial; return whether the process is alive."""
        running = busy[process]
        try:
            answer = process.answer()
        except Died as error:
            del busy[process]
            study.died(running.trial)
            if study.deaths(running.place) < MOST_DEATHS:
                again.append(running.place)
            else:
                running.trial = study.ask(running.place)
                end(running, None, str(error), {})
            return False
        except StudyEnds as error:
            # The trial stays unfinished, and its place is free for the next call.
            raise ZooError(
                f"{error}; {len(done)} of {request.trials} trials are finished: fix that, and continue with "
                f"'zoo tune --resume {folder}'"
            ) from None
        except ZooError as error:
            del busy[process]
            end(running, None, one_line(error, 300), {})
            return True
        if "epoch" in answer:
            running.epochs = answer["epoch"]
            process.send(end=study.report(running.trial, running.epochs, answer["value"]))
            return True
        del busy[process]
        figures = answer["figures"]
        value, ended = figures.pop("value"), figures.pop("ended")
        reason = f"{ENDED_EARLY} after {running.epochs} epochs" if ended else ""
        if not math.isfinite(value):
            reason = f"its {settled.metric} of validation is {value}"
        end(running, None if reason else value, reason, figures)
        return True

    with contextlib.ExitStack() as stack:
        threads = None if parallel == 1 else max(1, provenance.usable_cpus() // parallel)

        def new_process() -> TrialProcess:
            return stack.enter_context(TrialProcess(threads, lock))

        for _ in range(min(parallel, request.trials - len(done))):
            begin(new_process())
        while busy:
            for process in _ready(list(busy)):
                alive = listen(process)
                if process not in busy:
                    begin(process if alive else new_process())
    return study.finished()


def _ready(processes: list[TrialProcess]) -> list[TrialProcess]:
    """Wait until at least one of the processes has an answer, and return all processes that have one."""
    with selectors.DefaultSelector() as selector:
        for process in processes:
            selector.register(process, selectors.EVENT_READ, process)
        return [key.data for key, _ in selector.select()]


def _keep_only(folder: Path, best: Trial | None, running: set[Path]) -> None:
    """Remove the checkpoints of all trials that are neither the best nor running: only the best is continued."""
    kept = {folder_of(folder, best.place)} if best else set()
    for checkpoints in (folder / TRIALS).glob(f"*/{run.CHECKPOINTS}"):
        if checkpoints.parent not in kept | running:
            shutil.rmtree(checkpoints, ignore_errors=True)

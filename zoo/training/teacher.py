"""Teachers: finished runs, artifacts and zoo's ONNX files, from whose answers for examples another network learns."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo import artifact, contract, files, formats, run
from zoo.artifact import Manifest
from zoo.data.dataset import Examples
from zoo.data.digests import Digests
from zoo.data.evaluation_data import places
from zoo.data.pipeline import encoded_batches
from zoo.data.reload import digests_for
from zoo.description import Model, Teacher, license_of
from zoo.errors import Refused, ZooError, listed, one_line
from zoo.folder_kinds import mistaken
from zoo.formats import Format, Session
from zoo.formats.onnx import ONNX, described
from zoo.input import Arrays, find, kind_of
from zoo.keras_settings import own_settings
from zoo.recipe import Distill
from zoo.run import Run
from zoo.signature import departures
from zoo.task import Score, task_of
from zoo.text import Progress, Say
from zoo.training import known_answers

BATCH = 64
"""The number of examples in a batch."""

LARGEST = 2**31
"""The most bytes of answers, which are kept in memory and in the run's folder."""

NAME_ONE = "name a finished run, an artifact, or an ONNX file that zoo exported"

PrimaryOutputs = Callable[[Arrays], np.ndarray]
"""Takes a batch of inputs of the contract; returns the primary outputs, float32 [batch, labels]."""


@dataclass(frozen=True)
class Found:
    """A teacher that was found.

    Attributes:
        place: the run, artifact or file.
        model: the description of its network.
        file: the file whose hash identifies it.
        license: the license of its weights; None if nothing states one.
        score: the score on its own test split; None if it was not measured.
        origin: the description of the run or artifact; None for a file.
        open: loads the network.
    """

    place: Path
    model: Model
    file: Path
    license: str | None
    score: Score | None
    origin: Run | Manifest | None
    open: Callable[[], PrimaryOutputs]

    @property
    def name(self) -> str:
        """The name of the run, artifact or file."""
        return self.place.resolve().name

    def record(self) -> Teacher:
        """Return the record of the teacher for a run."""
        model = self.model
        return Teacher(self.name, files.sha256(self.file), model.family, model.size, self.license, self.score)

    def digests(self) -> Digests | None:
        """Return the digests of the examples that it was trained on; None if they are unknown."""
        return digests_for(self.place, self.origin)[0] if self.origin else None


def find_teacher(place: Path, kind: str) -> Found:
    """Return the teacher at `place`, which must take a kind of input.

    The network of a run or an artifact is loaded later; an ONNX file is opened now, because it describes itself.

    Raises:
        ZooError: there is no teacher, it is not finished, or it takes another kind of input.
        Refused: the teacher is damaged.
    """
    if place.is_file():
        teacher = _of_file(place)
    elif (place / artifact.MANIFEST).is_file():
        teacher = _of_artifact(place, artifact.read(place))
    elif place.is_dir():
        teacher = _of_run(place, run.read_finished(place))
    else:
        raise ZooError(f"there is no teacher at {place}: {NAME_ONE}")
    input_kind = kind_of(teacher.model.preprocessing)
    if input_kind.kind != kind:
        plural = find(kind).plural
        raise ZooError(f"the teacher {place} takes {input_kind.plural}, not {plural}: name a teacher of {plural}")
    return teacher


def _of_run(folder: Path, this: Run) -> Found:
    weights, opened = folder / run.WEIGHTS, functools.partial(_with_keras, folder, this.model)
    return Found(folder, this.model, weights, run.license_of_weights(this), this.score, this, opened)


def _of_artifact(folder: Path, manifest: Manifest) -> Found:
    row = formats.preferred(manifest.formats)
    path, score = folder / row.place(), manifest.score.get(row.name)
    license = license_of(manifest.weights, manifest.initial, manifest.teacher)
    file = path if path.is_file() else folder / artifact.MANIFEST

    def opened() -> PrimaryOutputs:
        return _with_session(path, row, formats.open_session(path, row), manifest.model)

    return Found(folder, manifest.model, file, license, score, manifest, opened)


def _of_file(path: Path) -> Found:
    """Open an ONNX file; a file within an artifact is refused, because only the artifact knows license and score."""
    if message := mistaken(path, "artifact"):
        raise ZooError(message)
    try:
        session = formats.open_session(path, ONNX)
    except Refused:
        raise ZooError(f"the teacher {path} cannot be opened as an ONNX file: {NAME_ONE}") from None
    model = described(session, path)
    return Found(path, model, path, None, None, None, lambda: _with_session(path, ONNX, session, model))


def _with_session(path: Path, row: Format, session: Session, model: Model) -> PrimaryOutputs:
    """Return a function that computes a batch with an open file.

    Raises:
        Refused: the file is not as it was exported. The function raises Refused if it fails to compute a batch.
    """
    wrong = departures(session.signature, contract.of_every_format(model))
    wrong += [fault for faults in row.checks(path, session, model).values() for fault in faults]
    if wrong:
        raise Refused(f"the teacher {path} is not as it was exported ({listed(wrong, most=3)}): export again")
    primary = task_of(model).primary

    def compute(inputs: Arrays) -> np.ndarray:
        try:
            return primary(session.run(inputs), model)
        except Exception as error:  # each library raises its own
            raise Refused(f"the teacher {path} failed to compute a batch ({one_line(error)})") from None

    return compute


def _with_keras(folder: Path, model: Model) -> PrimaryOutputs:
    from zoo import factory
    from zoo.inference import answering

    task, kind = task_of(model), kind_of(model.preprocessing)
    answers_of = answering(factory.load_described(folder, model), model)

    def compute(inputs: Arrays) -> np.ndarray:
        answered = answers_of(kind.graph.prepared(inputs, model.preprocessing))
        return task.primary({name: output.numpy() for name, output in answered.items()}, model)

    return compute


def check_teacher(teacher: Found, student: Model, examples: Examples, distill: Distill) -> None:
    """Check that a network can learn from a teacher as a recipe asks.

    Raises:
        ZooError: the teacher has another task or other labels, or cannot take an example; there are too many answers;
            or the task does not support the kind of distillation.
    """
    place, model, task = teacher.place, teacher.model, task_of(student)
    if not task.distillations:
        raise ZooError(f"networks that answer with {task.words} cannot learn from a teacher: leave --teacher out")
    if model.task != student.task:
        raise ZooError(f"the teacher {place} answers with {model.task}, not {student.task}: name another one")
    _, unknown = places(student.labels, model.labels)
    if unknown:
        few = listed(unknown, most=3)
        raise ZooError(f"the teacher {place} does not know {student.task} of the data: {few}: name another one")
    if len(model.labels) != len(student.labels):
        counts = f"{len(model.labels)} {student.task}, and the data have {len(student.labels)}"
        raise ZooError(f"the teacher {place} knows {counts}: name one with the same {student.task}")
    if distill.kind not in task.distillations:
        kinds = " or ".join(task.distillations)
        raise ZooError(f"--distill {distill.kind} is not for {student.task}: leave it out, or write --distill {kinds}")
    if not task.distillations[distill.kind] and distill.temperature != Distill().temperature:
        raise ZooError(f"--distill {distill.kind} of {student.task} has no temperature: leave distill.temperature out")
    size = len(examples) * len(student.labels) * np.dtype(np.float32).itemsize
    if size > LARGEST:
        most = f"{LARGEST / 2**30:g} GiB are the most: train on fewer examples, or leave --teacher out"
        raise ZooError(f"the teacher's answers for {len(examples):,} examples take {size / 2**30:.1f} GiB, {most}")
    _examples_for_teacher(teacher, examples)


def _examples_for_teacher(teacher: Found, examples: Examples) -> Examples:
    """Return examples in the form that a teacher takes.

    Raises:
        ZooError: the teacher cannot take one of them.
    """
    try:
        kind = kind_of(teacher.model.preprocessing)
        taken, left_out = kind.data.kept(examples, teacher.model.preprocessing)
    except ZooError as error:
        raise ZooError(f"the teacher {teacher.place} takes other examples: {error}") from None
    if left_out:
        count = f"{len(left_out)} of {len(examples)} training {kind.plural}"
        raise ZooError(
            f"the teacher {teacher.place} cannot take {count}: {listed(left_out, most=3)}: "
            "name another one, or leave them out of the data"
        )
    return taken


@own_settings()
def answers(teacher: Found, student: Model, examples: Examples, say: Say, progress: Progress) -> np.ndarray:
    """Return a teacher's primary outputs, float32 [examples, labels], with the labels in the student's order.

    They are read from the user's cache, or computed and kept there. `say` is called with the share of right answers,
    `progress` with the number of answers so far.

    Raises:
        ZooError: the teacher's weights cannot be read.
        Refused: the teacher is damaged, or answers with numbers that are not finite.
    """
    path = known_answers.place(files.sha256(teacher.file), teacher.model, examples)
    all_answers = known_answers.read(path, (len(examples), len(teacher.model.labels)))
    if all_answers is None:
        all_answers = _computed(teacher, examples, progress)
        known_answers.keep(path, all_answers)
    if not np.isfinite(all_answers).all():
        raise Refused(f"the teacher {teacher.place} answers with numbers that are not finite: name another one")
    order, _ = places(student.labels, teacher.model.labels)
    ordered = np.ascontiguousarray(all_answers[:, order], np.float32)
    right = task_of(student).right(ordered, examples.targets, student).mean()
    plural = kind_of(teacher.model.preprocessing).plural
    say(f"the teacher {teacher.place} has answered for {len(examples)} training {plural}, {100 * right:.1f} % right")
    return ordered


def _computed(teacher: Found, examples: Examples, progress: Progress) -> np.ndarray:
    """Return a teacher's primary outputs, float32 [examples, labels], with the labels in its own order."""
    compute, preprocessing = teacher.open(), teacher.model.preprocessing
    at_once = 1 if kind_of(preprocessing).alone(preprocessing) else BATCH
    computed: list[np.ndarray] = []
    for inputs, _ in encoded_batches(_examples_for_teacher(teacher, examples), preprocessing, batch_size=at_once):
        computed.append(compute(inputs))
        progress(min(len(computed) * at_once, len(examples)), len(examples), f"{teacher.name} answers")
    return np.concatenate(computed, dtype=np.float32)

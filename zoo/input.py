"""The record of an input kind: how examples become the arrays that a network takes.

A kind is a package of `zoo.inputs`, or a module that an installed package adds, with its record in `INPUT`. For every
kind, a batch is a dictionary of arrays with the names of the contract. A raw example is an example as a source yields
it: the bytes of an image or sound file, a text, or a row as a tuple of values.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

import pydantic

from zoo import plugins, schema
from zoo.data.share import WHOLE, Share
from zoo.errors import ZooError, did_you_mean
from zoo.signature import Tensor

if TYPE_CHECKING:
    import numpy as np

    from zoo.data.dataset import Dataset, Examples
    from zoo.data.example import Example
    from zoo.family import Family, Size
    from zoo.named_recipe import NamedRecipe
    from zoo.structure import Structure

PACKAGE = "zoo.inputs"
"""The package whose packages are input kinds, and the group of entry points by which installed packages add more."""

Arrays = dict[str, "np.ndarray"]
"""A batch: arrays by the names of the contract."""


class Client(Protocol):
    """The functions of a kind that a client needs; they need numpy and the kind's own library.

    `preprocessing` is a record of the class `Input.preprocessing`.
    """

    def tensors(self, preprocessing: Any) -> dict[str, Tensor]:
        """Return the inputs of `serving_default` and of every other format, in the order of the network's arguments."""

    def raw_tensors(self, preprocessing: Any) -> dict[str, Tensor]:
        """Return the inputs of the signature `Input.raw`."""

    def network_tensors(self, preprocessing: Any) -> dict[str, Tensor]:
        """Return the inputs of the Keras model: `tensors` after the preprocessing that is part of every format."""

    def encode(self, raw: Sequence[Any], preprocessing: Any) -> Arrays:
        """Encode raw examples as a batch.

        Raises:
            ZooError: an example cannot be read; the message is the reason.
        """

    def raw_arrays(self, raw: Sequence[Any], preprocessing: Any) -> Arrays:
        """Return raw examples as inputs of the signature `Input.raw`; strings are object arrays of bytes."""

    def random(self, preprocessing: Any, count: int, generator: np.random.Generator) -> Arrays:
        """Return a batch of random values, to measure latency with."""

    def noise(self, preprocessing: Any, count: int, generator: np.random.Generator) -> list[Any]:
        """Return raw examples of random content."""

    def named_examples(
        self, paths: Sequence[Path], preprocessing: Any, leave_out: Callable[[Path, str], None]
    ) -> Iterable[NamedExample]:
        """Yield the examples in files or folders one after the other, for `zoo predict`.

        All paths are checked before the first example is read. An example that cannot be read has a problem.

        Args:
            paths: files, and folders of files.
            preprocessing: the preprocessing that the examples must fit.
            leave_out: called with each visible entry of a folder that is not an example, and the reason.

        Raises:
            ZooError: there is no example.
        """

    def catalog(self, family: Family, size: Size) -> dict[str, Any]:
        """Describe the input of a size of a family as plain data; its key `limits` has facts by name, for people."""

    def published(self, wanted: Any) -> dict[str, Any]:
        """Describe the input that published weights expect, `zoo.weights.pretrained.Tag.input`, as plain data.

        Its key `input` has a few words for people.
        """

    def facts(self, preprocessing: Any) -> dict[str, str]:
        """Describe the input for people: facts by name."""

    def problems(self, preprocessing: Any) -> list[str]:
        """List contradictions within a preprocessing that its schema cannot detect."""

    def python(self, preprocessing: Any) -> str:
        """Return one raw example as a Python expression, for a model card; it may read a file by `Path`."""

    def rest(self, preprocessing: Any) -> dict[str, Any]:
        """Return the same example as inputs of the signature `Input.raw`, for a request in JSON.

        A `Path` stands for the content of that file, which a request contains in base64.
        """

    def files(self, preprocessing: Any) -> dict[str, str]:
        """Return the text files that an artifact contains for clients of this kind, by name."""


class Data(Protocol):
    """The functions of a kind that training and exporting need in addition to those of the client.

    `RECORDS` are the classes of content and traits of the examples that `inspect` returns; the second is None if there
    are no traits. They are dataclasses of str, int, float and bool, whose fields `zoo.data.folder_index` stores; the
    first field of the content is the path of the file.
    """

    RECORDS: tuple[type, type | None]

    def inspect(self, path: Path, *, split: str, target: Any, name: str) -> Example:
        """Read a whole file, to find damage, and return an example whose content stays in the file.

        Raises:
            ZooError: the file cannot be read; the message is the reason.
        """

    def form(self, examples: Sequence[Example]) -> Any:
        """Return what all examples of a dataset have in common, such as the size of all images."""

    def suiting(self, dataset: Dataset, settings: Any, like: Any | None) -> Any:
        """Return the preprocessing that suits a dataset and the kind's section of a recipe.

        `like` is the preprocessing of the weights that training starts from; None if it starts from scratch.

        Raises:
            ZooError: the data or the settings do not fit.
        """

    def kept(self, examples: Examples, preprocessing: Any) -> tuple[Examples, tuple[str, ...]]:
        """Return the examples that the preprocessing can take, and a line for each of the others: name and reason."""

    def remarks(self, splits: Sequence[Examples], preprocessing: Any) -> Iterator[str]:
        """Yield a line about everything that is odd about the examples, as the network gets them."""

    def adjustments(self, dataset: Dataset, preprocessing: Any, settings: Any) -> Iterator[str]:
        """Yield a line about each change that the preprocessing makes to all examples without being asked to."""

    def reference(self, shape: Sequence[int]) -> Any:
        """Return the preprocessing of a network whose row in its family's table has the input shape `shape`."""

    def published(self, folder: Path, task: str, seconds: float | None = None) -> Any:
        """Return the preprocessing that a folder of published weights for a task states.

        `seconds` is the requested length of clips; kinds without a length in time refuse it.

        Raises:
            ZooError: the folder states none, or one that networks of this kind do not support.
        """

    def structure(self, family: Family, size: Size, preprocessing: Any) -> Structure | None:
        """Return the structure of a network that is trained from scratch, to be recorded.

        Returns None if the preprocessing decides the form of the network.
        """

    def check(self, family: Family, size: Size, preprocessing: Any, structure: Structure | None) -> None:
        """Refuse an input that no network, or not this one, can take.

        Raises:
            ZooError: the input is refused; the message says how to fix it.
        """

    def stand_ins(self) -> tuple[Examples, str]:
        """Return examples for a model that came without data, and their license."""

    def samples(self, raw: Sequence[Any], preprocessing: Any) -> list[Any]:
        """Return raw examples as clients send them, made from a dataset's; the first needs every preprocessing step."""

    def doubtful(self, raw: Sequence[Any], preprocessing: Any) -> list[Any]:
        """Return raw examples that clients and graphs may encode differently, for the gate that compares both.

        `raw` are examples of the data, some of which may be returned.
        """

    def damaged(self, raw: Any, preprocessing: Any) -> dict[str, Any]:
        """Return raw examples that every signature refuses, by the fault of each; `raw` is a sound example."""

    def hostile(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return raw examples made to exhaust a server: those that it must refuse, and those that it may answer."""

    def client_tolerance(self, preprocessing: Any) -> float:
        """Return the largest difference between `Client.encode` and `Graph.decoded` that passes the gate."""


class Views(Protocol):
    """The functions of a kind that training on examples without labels needs, in TensorFlow operations."""

    def strong(self, settings: Any) -> Any:
        """Return the kind's section of a recipe as it applies to the strong views of `weak_and_strong`."""

    def weak_and_strong(
        self,
        examples: Examples,
        preprocessing: Any,
        settings: Any,
        *,
        batch_size: int,
        key: tuple[int, ...],
        start: int = 0,
        share: Share = WHOLE,
    ) -> Any:
        """Return one epoch as a tf.data.Dataset of (network inputs by name, [batch, 2, …], zeros int64 [batch]).

        The first view of an example is augmented weakly and the second strongly. Order and views depend on `key`. A
        last, smaller batch is left out, and so are the first `start` batches.
        """


class Graph(Protocol):
    """The functions of a kind in TensorFlow operations."""

    def prepared(self, inputs: Mapping[str, Any], preprocessing: Any) -> dict[str, Any]:
        """Turn the inputs of the contract into those of the network."""

    def decoded(self, raw: Mapping[str, Any], preprocessing: Any) -> tuple[dict[str, Any], Any]:
        """Turn the inputs of the raw signature into those of the contract, and say which examples are refused.

        Returns:
            The inputs, with zeros for a refused example; and the status, string [batch]: the reason in words that
            follow 'is', empty for the others.
        """

    def training_batches(
        self,
        examples: Examples,
        preprocessing: Any,
        settings: Any,
        *,
        batch_size: int,
        seed: int,
        epoch: int,
        start: int = 0,
        share: Share = WHOLE,
    ) -> Any:
        """Return one epoch as a tf.data.Dataset of (network inputs by name, targets [batch]).

        The same arguments give the same batches in any process. `Examples.epoch` decides which examples are in the
        epoch, and their order. A last, smaller batch is left out, and so are the first `start` batches, whose examples
        are not read. `share` is the part of every batch that is returned.
        """

    def evaluation_batches(
        self, examples: Examples, preprocessing: Any, *, batch_size: int, share: Share = WHOLE
    ) -> Any:
        """Return every example in order, as a tf.data.Dataset of (network inputs, targets, weights float32 [batch]).

        The last batch is filled up with copies of the first example, whose weight is 0; that of all others is 1.
        `share` is the part of every batch that is returned.
        """


@dataclass(frozen=True)
class NamedExample:
    """A raw example to predict.

    Attributes:
        name: its name in messages.
        raw: the example.
        problem: why it cannot be read; None if it can.
        remark: what is unusual about it, in words that follow its name, such as words that the network does not know.
    """

    name: str
    raw: Any
    problem: str | None = None
    remark: str | None = None


@dataclass(frozen=True, kw_only=True)
class Input:
    """An input kind.

    Attributes:
        kind: its name, which is also the `kind` of its preprocessing and the name of its section in recipes.
        noun: the word for one example in messages.
        plural: the word for several examples.
        preprocessing: the record of a model's preprocessing.
        settings: the record of the section of recipes that belongs to the kind.
        raw: the name of the signature from raw examples to answers.
        default_data: the default of `--data`.
        client_module: the dotted name of the module with the functions of `Client`.
        data_module: the dotted name of the module with the functions of `Data`.
        graph_module: the dotted name of the module with the functions of `Graph`.
        client_libraries: the modules that the functions of `Client` import besides numpy, with their names on PyPI.
        data_libraries: the modules that the functions of `Data` and `Graph` import in addition.
        views_module: the dotted name of the module with the functions of `Views`; empty if there is none.
        recipes: recipes by name that all families of the kind share.
        mixed_by: the keys of recipes that mix pairs of network inputs, see `zoo.training.mixing`. A kind with such keys
            has a single network input, of floats.
        grown_by: the key of the section that makes training begin with smaller inputs; empty if there is none.
        by_epoch: called with a preprocessing, the section and the number of epochs; returns the preprocessing of each
            epoch in training. The last one is the given preprocessing; earlier ones may be for smaller inputs. It
            raises ZooError if the section does not fit.
        kept_by_weights: the keys of the section that the weights decide, if training starts from weights.
        turned_off: keys of the section that another key of the section can turn off, each with that other key and the
            values that turn it off.
        space: the keys of the section that `zoo tune` searches by default, in the form of `zoo.tuning.space`.
        pipelines: the Hugging Face Hub's name of each task with such inputs, for those that have one.
        alone: called with a preprocessing; returns whether examples are answered one at a time, because examples of
            other lengths in the same batch would change an answer.
    """

    kind: str
    noun: str
    plural: str
    preprocessing: type
    settings: type
    raw: str
    default_data: str
    client_module: str
    data_module: str
    graph_module: str
    client_libraries: Mapping[str, str] = field(default_factory=dict)
    data_libraries: Mapping[str, str] = field(default_factory=dict)
    views_module: str = ""
    recipes: Mapping[str, NamedRecipe] = field(default_factory=dict)
    mixed_by: frozenset[str] = frozenset()
    grown_by: str = ""
    by_epoch: Callable[[Any, Any, int], Sequence[Any]] = lambda preprocessing, section, epochs: [preprocessing] * epochs
    kept_by_weights: frozenset[str] = frozenset()
    turned_off: Mapping[str, tuple[str, tuple[Any, ...]]] = field(default_factory=dict)
    space: Mapping[str, Any] = field(default_factory=dict)
    pipelines: Mapping[str, str] = field(default_factory=dict)
    alone: Callable[[Any], bool] = lambda preprocessing: False

    @property
    def raw_safe(self) -> str:
        """The signature `raw` with a status for each example: a refused example does not fail the others."""
        return f"{self.raw}_safe"

    @property
    def client(self) -> Client:
        """The module with the functions of `Client`, imported."""
        return cast(Client, importlib.import_module(self.client_module))

    @property
    def data(self) -> Data:
        """The module with the functions of `Data`, imported."""
        return cast(Data, importlib.import_module(self.data_module))

    @property
    def graph(self) -> Graph:
        """The module with the functions of `Graph`, imported with TensorFlow."""
        return cast(Graph, importlib.import_module(self.graph_module))

    @property
    def views(self) -> Views | None:
        """The module with the functions of `Views`, imported; None where there is none."""
        return cast(Views, importlib.import_module(self.views_module)) if self.views_module else None


@functools.cache
def kinds() -> dict[str, Input]:
    """Return every input kind by its name."""
    input_kinds = {}
    for name, module in plugins.modules(PACKAGE).items():
        kind = getattr(module, "INPUT", None)
        if not isinstance(kind, Input) or kind.kind != name:
            raise ZooError(f"{module.__name__} is not an input kind: it should have an INPUT of the kind '{name}'")
        input_kinds[name] = kind
    return input_kinds


def find(kind: str) -> Input:
    """Return the input kind of a name.

    Raises:
        ZooError: there is none.
    """
    if kind not in kinds():
        raise ZooError(f"there is no kind of input '{kind:.60}': {did_you_mean(kind, kinds())}")
    return kinds()[kind]


def kind_of(preprocessing: Any) -> Input:
    """Return the input kind of a preprocessing."""
    return find(preprocessing.kind)


def _record(values: Any, name: str) -> Any:
    """Make the record of a kind, `preprocessing` or `settings`, from a dictionary that names the kind."""
    if dataclasses.is_dataclass(values) or (values is None and name == "settings"):
        return values
    if not isinstance(values, dict) or not isinstance(values.get("kind"), str):
        raise ValueError("a record with the 'kind' of the input")
    try:
        return schema.parse(getattr(find(values["kind"]), name), values, name)
    except ZooError as error:
        raise ValueError(str(error)) from None


Preprocessing = Annotated[
    Any,
    pydantic.BeforeValidator(lambda values: _record(values, "preprocessing")),
    pydantic.PlainSerializer(schema.to_dict),
]
"""A field for the preprocessing of any kind."""

Settings = Annotated[
    Any,
    pydantic.BeforeValidator(lambda values: _record(values, "settings")),
    pydantic.PlainSerializer(lambda value: None if value is None else schema.to_dict(value)),
]
"""A field for the section of a recipe that belongs to the kind of input."""

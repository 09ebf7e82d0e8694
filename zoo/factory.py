"""Building Keras models: from a name, from a run, or from a description."""

from __future__ import annotations

import dataclasses
import importlib
import operator
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

from zoo import complexity, pretext, run, schema, weights_file
from zoo import task as tasks
from zoo.description import Model
from zoo.errors import ZooError, did_you_mean, listed
from zoo.family import Family, Size
from zoo.input import find, kind_of
from zoo.keras_settings import own_settings
from zoo.recipe import OWN, OWN_RATES, Network
from zoo.registry import resolve
from zoo.stores import local_path
from zoo.structure import Structure
from zoo.task import task_of
from zoo.weights import hub
from zoo.weights.pretrained import CLASSES, Tag
from zoo.weights.publishers import TIMM

WITHOUT_HEAD = 2
"""The number of labels of the temporary head with which a network without a head is built; it is then cut off."""


@dataclass(frozen=True)
class FeatureExtractor:
    """A model that returns its feature maps by name, and the stride of each map.

    The stride is the number of pixels of the image that one pixel of the map spans in each direction.
    """

    model: Any
    strides: dict[str, int]


def create(
    name: str,
    *,
    size: str | None = None,
    classes: int = CLASSES,
    input_shape: Sequence[int] | None = None,
    preprocessing: Any = None,
    structure: Structure | Literal["reference"] | None = None,
    features: bool = False,
    head: bool = True,
    precision: str = "float32",
    pretrained: bool | str = False,
    task: str | None = None,
    widths: Mapping[str, int] | None = None,
    dropout: float = OWN,
    drop_path: float = OWN,
) -> Any:
    """Build a network with fresh or with published weights.

    Args:
        name: a family (`resnet`) or an alias (`resnet50`).
        size: a size of the family, such as `base`. By default that of the alias, or `small`.
        classes: the number of logits, or of values, or of symbols.
        input_shape: for images height, width and channels (1 to 4). By default that of the published network, such as
            224×224×3, or what the published weights take.
        preprocessing: the preprocessing whose result the network takes, instead of an `input_shape`.
        structure: the halvings (strides of 2) that a network for images keeps. By default small images are halved less
            often, unless the weights are published ones. `"reference"` is the published network, which published
            weights fit at every image size.
        features: return the named feature maps instead of the logits.
        head: False ends the network before the layers that depend on the classes, and returns their input.
        precision: `float32` or `float64`; or, for training, `bfloat16` or `float16`, in which layers then compute.
        pretrained: True for the weights of timm's default tag, or another tag, such as `"a1_in1k"`; `zoo.info` lists
            the tags with their licenses and the input that they expect. The weights are fetched from the Hugging Face
            hub, unless they are in its cache. The head has fresh weights if `classes` is not 1000; the stem's weights
            are adapted if the number of channels is not 3.
        task: the kind of answer, as `zoo.info` lists them; by default the first of the family.
        widths: by layer name, the channels of convolutions and hidden layers that differ from the family's. Layers that
            a residual addition joins need the same number; `zoo.pruning.channel_map` finds them.
        dropout: the rate of all dropout in training; by default the family's own. A network without dropout gets one
            dropout layer before the logits.
        drop_path: the probability with which training drops the last residual branch of an example; it rises evenly
            from 0 at the first branch. By default the family's own.

    Returns:
        A functional `keras.Model`. Its inputs are those of the network, as the preprocessing leaves them: for images
        `image`, float32 [batch, height, width, channels]; several inputs are a dictionary. Its output is `logits`,
        float32 [batch, classes], or [batch, frames, symbols] for transcripts. With `features`, a `FeatureExtractor`.

    Raises:
        ZooError: an unknown name, size, task or precision, an input that the network cannot take, widths that do not
            fit it, Keras on another backend than TensorFlow, published weights that do not exist or cannot be fetched,
            or a rate for dropout or residual branches that the network does not have.
    """
    family, row = resolve(name, size)
    kind, row = find(family.input), _with_options(family, row, task, head)
    if pretrained and widths:
        raise ZooError("published weights fit the published channels: leave widths out")
    tag = TIMM.tag(TIMM.published(family, row), None if pretrained is True else pretrained) if pretrained else None
    if preprocessing is None:
        shape = (tag.input.side, tag.input.side, 3) if tag else row.input_shape
        preprocessing = kind.data.reference(shape if input_shape is None else _shape(input_shape, row))
    if structure not in (None, "reference") and not isinstance(structure, Structure):
        raise ZooError(f"structure={structure!r:.40}: write 'reference', or leave it out")
    if structure == "reference" or (structure is None and tag):
        structure = family.reference_structure(row)
    elif structure is None:
        structure = kind.data.structure(family, row, preprocessing)
    plan = _Plan(
        family=family,
        row=row,
        labels=_count_of_labels(task or family.tasks[0], classes) if head else WITHOUT_HEAD,
        preprocessing=preprocessing,
        structure=structure,
        widths=widths or {},
        rates=schema.parse(Network, {"dropout": dropout, "drop_path": drop_path}, "network"),
        precision=precision,
        head=head,
        features=features,
    )
    _check(plan)
    if tag is None:
        return _built(plan)
    trained = _trained(dataclasses.replace(plan, labels=CLASSES, head=True, features=False), tag)
    if classes == CLASSES and head and not features:
        return trained
    network = _built(plan)
    _copy_weights(trained, network.model if features else network, but=family.head if classes != CLASSES else ())
    return network


def _with_options(family: Family, row: Size, task: str | None, head: bool) -> Size:
    """Return a size with the builder's options for a task; None stands for the family's first task.

    Raises:
        ZooError: the family has no network for this task. Without a head, there are also networks for the tasks of
            pretraining.
    """
    if task is not None and task not in family.all_tasks and (head or task not in pretext.methods()):
        raise ZooError(f"{family.name} has no network for {task}: {did_you_mean(task, family.all_tasks)}")
    return dataclasses.replace(row, options=family.options(row, task or family.tasks[0]))


def _count_of_labels(task: str, classes: Any) -> int:
    """Return the number of logits, values or symbols as an int, because Keras 3.15 refuses integers of numpy.

    Raises:
        ZooError: `classes` is not a whole number, or is too small for the task.
    """
    least = tasks.find(task).fewest_labels
    if not isinstance(classes, Integral) or int(classes) < least:
        other = "; task='values' takes 1" if task == "classes" and classes == 1 else ""
        raise ZooError(f"classes={classes!r:.40}: a whole number of at least {least} is needed{other}")
    return int(classes)


def _shape(given: Sequence[int], row: Size) -> tuple[int, ...]:
    """Return the shape of an input.

    Raises:
        ZooError: the shape has another rank than the published network's, or a size is not a whole number above 0.
    """
    try:
        shape = tuple(map(operator.index, given))
    except TypeError:
        shape = ()
    if len(shape) != len(row.input_shape) or min(shape) < 1:
        usual = row.input_shape
        raise ZooError(f"input_shape={given!r:.60}: {len(usual)} whole numbers above 0 are needed, such as {usual}")
    return shape


@dataclass(frozen=True)
class _Plan:
    """Everything that decides a network except its weights; `create` documents the fields of the same names.

    Attributes:
        row: the size, with the options of the task.
        labels: the number of logits, values or symbols.
        rates: the rates of dropout and drop-path.
    """

    family: Family
    row: Size
    labels: int
    preprocessing: Any
    structure: Structure | None
    widths: Mapping[str, int]
    rates: Network
    precision: str
    head: bool
    features: bool


def _check(plan: _Plan) -> None:
    """Raise ZooError if the network cannot take the input."""
    family, kind = plan.family, kind_of(plan.preprocessing)
    if kind.kind != family.input:
        raise ZooError(f"{family.name} takes {find(family.input).plural}, and the preprocessing is for {kind.plural}")
    kind.data.check(family, plan.row, plan.preprocessing, plan.structure)


def _built(plan: _Plan) -> Any:
    """Build a network with fresh weights, for an input that it can take.

    Raises:
        ZooError: the widths do not fit each other, or the network lacks what is asked for.
    """
    family, row, preprocessing = plan.family, plan.row, plan.preprocessing
    title = f"{family.name}_{row.name}"
    with own_settings(plan.precision):
        import keras

        from zoo import drop_rates, layers

        inputs = {}
        for name, tensor in kind_of(preprocessing).client.network_tensors(preprocessing).items():
            shape = [size if isinstance(size, int) else None for size in tensor.shape[1:]]
            inputs[name] = keras.Input(shape, dtype=tensor.dtype, name=name)
        form = preprocessing if plan.structure is None else plan.structure
        builder = importlib.import_module(family.builder)
        with layers.widths(plan.widths), drop_rates.standing_in(plan.rates) as rates:
            try:
                outputs = builder.build(*inputs.values(), plan.labels, form, **row.options)
            except ValueError as error:
                if not plan.widths:
                    raise
                raise ZooError(f"{title} cannot be built with these widths ({str(error).splitlines()[0]})") from None
        network_input = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        network = keras.Model(network_input, outputs.logits, name=title)
        _check_widths(network, plan.widths, title)
        if plan.features and not outputs.feature_maps:
            raise ZooError(f"{family.name} {row.name} has no feature maps: leave features out")
        if plan.features:
            maps = {key: feature_map.tensor for key, feature_map in outputs.feature_maps.items()}
            strides = {key: feature_map.stride for key, feature_map in outputs.feature_maps.items()}
            result: Any = FeatureExtractor(keras.Model(network_input, maps, name=f"{title}_features"), strides)
        else:
            result = network
        rates.settle(result.model if plan.features else result, f"{family.name} {row.name}")
        if plan.head or plan.features:
            return result
        # A network for one of several tasks may lack some layers of the head.
        first = next(layer for layer in network.layers if layer.name in family.head)
        return keras.Model(network_input, first.input, name=title)


def _check_widths(network: Any, widths: Mapping[str, int], title: str) -> None:
    """Raise ZooError when a layer that `widths` names is not in a network, or has another number of channels."""
    channels = {layer.name: layer.output.shape[-1] for layer in network.layers if layer.name in widths}
    wrong = [f"{name} {width}" for name, width in widths.items() if channels.get(name) != width]
    if wrong:
        raise ZooError(f"{title} has no layers with these channels ({listed(wrong)}): correct its widths")


def apply(model: Any, inputs: Mapping[str, Any], *, training: bool) -> Any:
    """Call a network on its inputs by name, and return its outputs."""
    # Keras 3.15 warns where a model of one input is called with a dictionary.
    return model(dict(inputs) if len(inputs) > 1 else next(iter(inputs.values())), training=training)


def _trained(plan: _Plan, tag: Tag) -> Any:
    """Build the network that published weights belong to, and load these weights."""
    repository = TIMM.repository(TIMM.published(plan.family, plan.row), tag)
    assert repository is not None, "timm's weights are on the hub"
    path = hub.fetch(repository).path
    model = _built(plan)
    TIMM.read(path, model, plan.family.name, plan.row.name)
    return model


def _copy_weights(source: Any, target: Any, but: Collection[str] = ()) -> None:
    """Copy the weights of all layers except those in `but` to the layers of the same names in another model."""
    for layer in target.layers:
        if layer.weights and layer.name not in but:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def load(folder: str | Path, *, features: bool = False) -> Any:
    """Build the network of a finished run with its weights, in float32.

    Args:
        folder: the run.
        features: as for `create`, which also says what is returned.

    Raises:
        ZooError: there is no finished run at `folder`, it is damaged, or its network is not the one that it describes.
    """
    path = local_path(folder)
    return load_described(path, run.read_finished(path).model, features=features)


def load_described(folder: Path, description: Model, *, features: bool = False) -> Any:
    """Build the network of a finished run whose description is known already, like `load`."""
    model = build(description)
    different = complexity.departures(model, description)
    if different:
        raise ZooError(
            f"{folder / run.DESCRIPTION} does not describe the network that is built ({'; '.join(different)}): "
            "restore the run, or train again"
        )
    arrays, _ = weights_file.read(folder / run.WEIGHTS)
    weights_file.assign(weights_file.weights(model), weights_file.in_float32(arrays), str(folder / run.WEIGHTS))
    if not features:
        return model
    extractor = build(description, features=True)
    _copy_weights(model, extractor.model)
    return extractor


def layer_depths(description: Model) -> dict[str, int]:
    """Return each layer's depth for layer-wise learning-rate decay: the number of feature maps that depend on it.

    Layers on which none depends, such as the logits' layer, are left out.
    """
    import keras

    extractor = build(description, features=True).model
    return Counter(
        layer.name
        for feature_map in extractor.output.values()
        for layer in keras.Model(extractor.input, feature_map).layers
    )


def structure_of(description: Model) -> Structure | None:
    """Return the structure of a described network; if none was recorded, the one that suits its input."""
    if description.structure is not None:
        return description.structure
    family, row = resolve(description.family, description.size)
    return find(family.input).data.structure(family, row, description.preprocessing)


def build(description: Model, *, features: bool = False, precision: str = "float32", rates: Network = OWN_RATES) -> Any:
    """Build the network that a run or an artifact describes, with fresh weights.

    `features` and `precision` are as for `create`, which also says what is returned. The network of a pretrained run
    has no head. `rates` are the rates of dropout and drop-path in training; they change neither the weights nor the
    answers.
    """
    family, row = resolve(description.family, description.size)
    head = not task_of(description).pretext_module
    # Of several targets, the builder needs only the number of their labels.
    task = description.parts[0].task if description.parts else description.task
    plan = _Plan(
        family=family,
        row=_with_options(family, row, task, head),
        labels=_count_of_labels(task, len(description.labels)) if head else WITHOUT_HEAD,
        preprocessing=description.preprocessing,
        structure=structure_of(description),
        widths=description.widths,
        rates=rates,
        precision=precision,
        head=head,
        features=features,
    )
    _check(plan)
    return _built(plan)

"""A network of three layers, and the parts of its training, for tests of a step."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from zoo import layers
from zoo.description import Model
from zoo.inputs.image.preprocessing import Preprocessing
from zoo.keras_settings import own_settings
from zoo.recipe import Recipe
from zoo.training.average import Average
from zoo.training.optimizer import optimizer
from zoo.training.steps import training_step

CLASSES = 3


def tiny_network(precision: str = "float32") -> Any:
    """A convolution, a batch normalization and the logits."""
    keras.utils.set_random_seed(0)
    with own_settings(precision):
        image = keras.Input((8, 8, 3), name="image")
        x = layers.batch_norm(layers.convolution(image, 4, 3, name="conv"), name="norm")
        x = keras.layers.GlobalAveragePooling2D(name="pool")(layers.activation(x, "relu", name="relu"))
        return keras.Model(image, layers.logits(x, CLASSES))


def described() -> Model:
    """Describe it, as the steps of its training read it."""
    return Model("cnn", "small", tuple("abc"), Preprocessing(8, 8, 3, (0.5,) * 3, (0.5,) * 3), 0, 0)


def parts(recipe: Recipe, strategy: Any = None) -> tuple[Any, Any, Any]:
    """The network, the optimizer and the step of a recipe."""
    return averaged_parts(recipe, strategy)[:3]


def averaged_parts(recipe: Recipe, strategy: Any = None) -> tuple[Any, Any, Any, Any]:
    """The network, the optimizer, the step, and the moving average; None if the recipe has no decay."""
    strategy = strategy or tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        model = tiny_network(recipe.precision)
        made = optimizer(recipe, model, 10, {})
        average = Average(tiny_network(recipe.precision), model, recipe.ema_decay) if recipe.ema_decay else None
    return model, made, training_step(model, described(), made, strategy, recipe, average=average), average

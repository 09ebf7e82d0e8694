"""The families; importing this package registers them."""

from zoo.models import cnn, resnet, vgg

__all__ = ["cnn", "resnet", "vgg"]

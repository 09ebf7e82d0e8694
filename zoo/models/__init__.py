"""The families; importing this package registers them."""

from zoo.models import cnn, convnext, efficientnet, inception, mobilenet, resnet, vgg, vit

__all__ = ["cnn", "convnext", "efficientnet", "inception", "mobilenet", "resnet", "vgg", "vit"]

"""The packages of the wheel: every folder of the three wings, so that a new family is listed nowhere.

setup.cfg has the map from folder to package, pyproject.toml everything else.
"""

from setuptools import find_packages, setup

WINGS = {"zoo": "zoo", "zoo.export": "export", "zoo.serving": "serving"}

setup(packages=[*WINGS, *(f"{wing}.{name}" for wing, folder in WINGS.items() for name in find_packages(folder))])

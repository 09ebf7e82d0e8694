"""The table of passes: it is complete, and every pass has a reason for its place."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import get_args

from zoo.export.onnx import passes
from zoo.export.onnx.passes import PASSES, Stage


def test_every_pass_is_in_the_table() -> None:
    modules = [
        importlib.import_module(f"{passes.__name__}.{one.name}") for one in pkgutil.iter_modules(passes.__path__)
    ]
    found = {
        function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_")
        and function.__module__ == module.__name__
        and list(inspect.signature(function).parameters) == ["model"]
    }
    assert {one.run for one in PASSES} == found


def test_every_pass_has_a_stage_and_a_reason() -> None:
    assert {one.stage for one in PASSES} == set(get_args(Stage))
    assert all(one.reason.endswith(".") for one in PASSES)


def test_stages_stand_in_the_order_in_which_they_run() -> None:
    order = get_args(Stage)
    assert [one.stage for one in PASSES] == sorted((one.stage for one in PASSES), key=order.index)

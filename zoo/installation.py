"""`zoo.doctor`: versions, devices, the processor, limits and settings of this installation, and what each verb lacks.

Packages are imported in child processes, so that a package that is missing, broken or kills its process is a finding
and not a crash.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import pkgutil
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import container, formats
from zoo.errors import ZooError, class_and_message, one_line
from zoo.tensorflow_setup import BACKEND

if TYPE_CHECKING:
    from zoo.input import Input

DISTRIBUTIONS = {
    "numpy": "numpy",
    "pydantic": "pydantic",
    "psutil": "psutil",
    "rich": "rich",
    "safetensors": "safetensors",
    "sklearn": "scikit-learn",
    "matplotlib": "matplotlib",
    "h5py": "h5py",
    "optuna": "optuna",
    "ml_dtypes": "ml_dtypes",
    "huggingface_hub": "huggingface_hub",
    "s3fs": "s3fs",
    "gcsfs": "gcsfs",
    "onnxruntime": "onnxruntime",
    "onnx": "onnx",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "tf2onnx": "tf2onnx",
    "tensorboard": "tensorboard",
    "tensorflow_datasets": "tensorflow-datasets",
    "tensorflow_serving.apis": "tensorflow-serving-api",
}
"""The packages that verbs import whatever the kind of input, by module, with their names on PyPI; light ones first."""


GROUPS = {
    "zoo.models": "zoo.registry:families",
    "zoo.data.sources": "zoo.data.source:sources",
    "zoo.formats": "zoo.formats:table",
    "zoo.inputs": "zoo.input:kinds",
    "zoo.tasks": "zoo.task:tasks",
}
"""The groups of entry points, each with the function that loads everything in the group, as MODULE:NAME."""


@dataclass(frozen=True)
class Need:
    """The packages that a verb, or one use of it, needs. `zoo doctor` passes without those of an `optional` use."""

    use: str
    modules: tuple[str, ...]
    optional: bool = False


ANSWERING = ("numpy", "pydantic", "psutil", "rich")
BUILDING = ("numpy", "pydantic", "psutil", "ml_dtypes", "safetensors", "tensorflow", "keras")
MEASURING = (*BUILDING, "sklearn", "matplotlib")
FIGURES = ("numpy", "pydantic", "psutil", "sklearn", "matplotlib")
TRAINING = (*MEASURING, "tensorboard", "rich")
EXPORTING = ("onnx", "onnxruntime", "tf2onnx", "tensorflow_serving.apis")

NEEDS = (
    Need("list, info, recipes", ("numpy", "pydantic")),
    Need("pull --file", BUILDING),
    Need("pull --file --from keras", (*BUILDING, "h5py")),
    Need("pull, from the hub", (*BUILDING, "huggingface_hub"), optional=True),
    Need("pretrain", TRAINING),
    Need("train", TRAINING),
    Need("train --data tfds:…", (*TRAINING, "tensorflow_datasets")),
    Need("tune", (*TRAINING, "optuna")),
    Need("scale", (*TRAINING, *EXPORTING)),
    Need("data serve", ("numpy", "pydantic", "tensorflow")),
    Need("evaluate RUN", MEASURING),
    Need("evaluate ARTIFACT of ONNX", (*FIGURES, "onnxruntime")),
    Need("evaluate ARTIFACT of SavedModel", (*FIGURES, "tensorflow", "keras")),
    Need("export", (*BUILDING, "sklearn", "rich", *EXPORTING)),
    Need("verify, predict, benchmark of ONNX", (*ANSWERING, "onnxruntime")),
    Need("publish", (*ANSWERING, "onnxruntime")),
    Need("copy, --data of s3://", ("numpy", "s3fs"), optional=True),
    Need("copy, --data of gs://", ("numpy", "gcsfs"), optional=True),
    Need("verify, predict, benchmark of SavedModel", (*ANSWERING, "tensorflow", "keras")),
)
"""A row for each verb, or for each use of a verb that needs other packages, whatever the kind of input."""

VARIABLES = re.compile(
    r"(KERAS|TF|TFDS|XLA|ORT|OMP|KMP|GOMP|MKL|OPENBLAS|ONEDNN|DNNL|CUDA|NVIDIA)_\w+|HF_HUB_OFFLINE|LD_PRELOAD|PYTHONPATH"
)
"""Environment variables that change results, speed or what is imported."""

HIDDEN = re.compile(r"TF_CPP_\w+|\w*(TOKEN|SECRET|PASSWORD|KEY)\w*")
"""Variables that the report leaves out: those of logging, and secrets, because people paste the report into issues."""

PROBE = """
import importlib, json, sys
for module in sys.argv[1:]:
    print(json.dumps({"begun": module}), flush=True)
    try:
        imported = importlib.import_module(module)
        found = {"imported": module}
        if module == "tensorflow":
            devices = imported.config.list_physical_devices("GPU")
            details = [imported.config.experimental.get_device_details(device) for device in devices]
            found["devices"] = [str(one.get("device_name", device.name)) for one, device in zip(details, devices)]
        if module == "onnxruntime":
            found["devices"] = imported.get_available_providers()
        if module == "keras" and imported.config.backend() != "tensorflow":
            raise RuntimeError(f"the backend is {imported.config.backend()}: set KERAS_BACKEND=tensorflow")
    except BaseException as error:
        found = {"imported": module, "error": " ".join(f"{type(error).__name__}: {error}".split())[:200]}
    print(json.dumps(found), flush=True)
"""
"""The program of a child process. It prints a line before it imports a module, and one with the finding afterwards."""

SECONDS = 300
"""The time limit of a child process. The import that is running at that time counts as broken."""


@dataclass(frozen=True)
class Package:
    """The installed version of a package, and the error of its import, where there is one."""

    version: str | None
    error: str | None


@dataclass(frozen=True)
class Runtime:
    """The state of a runtime: whether it can be imported, and the devices that it finds."""

    ready: bool
    devices: list[str]


@dataclass(frozen=True)
class Verb:
    """The packages that a verb, or one use of it, lacks, and the command that installs them."""

    verb: str
    optional: bool
    ready: bool
    missing: list[str]
    mend: str | None


@dataclass(frozen=True)
class Installation:
    """The report of `zoo doctor`.

    `ready` is true when every verb has the packages that are not optional, and everything that installed packages add
    to zoo can be loaded. `plugins` has the error of each group of entry points that cannot be loaded. `mend` is the
    command that installs all packages that are missing and not optional; None if there are none. A part that cannot be
    determined is `{"error": reason}`. `environment` has the variables that change results, speed or imports;
    `available_memory_gib` is in GiB.
    """

    ready: bool
    zoo: str | None
    python: str
    operating_system: str
    machine: dict[str, Any]
    quota: dict[str, Any]
    available_memory_gib: Any
    gpus: list[str]
    runtimes: dict[str, Runtime]
    plugins: dict[str, str]
    environment: dict[str, str]
    keras_json: dict[str, Any]
    packages: dict[str, Package]
    verbs: list[Verb]
    mend: str | None


def doctor() -> Installation:
    """Examine this installation. Takes some seconds, raises nothing, and imports the packages in a child process."""
    runtimes, kinds, broken = _runtimes(), _kinds(), _broken_plugins()
    libraries = {module for kind in kinds.values() for module in (*kind.client_libraries, *kind.data_libraries)}
    imports = import_all(dict.fromkeys([*DISTRIBUTIONS, *sorted(libraries), *runtimes.values()]))
    lacking = {module for module, result in imports.items() if "error" in result}
    runtime_names = (name for name, module in runtimes.items() if module not in DISTRIBUTIONS)
    needs_of_runtimes = [
        Need(f"verify, predict, benchmark of {name}", (*ANSWERING, runtimes[name]), True) for name in runtime_names
    ]
    needs = [*NEEDS, *_needs(kinds), *needs_of_runtimes]
    verbs = [_verb(need, lacking, imports) for need in needs]
    needed = dict.fromkeys(module for need in needs if not need.optional for module in need.modules)
    return Installation(
        ready=all(verb.ready or verb.optional for verb in verbs) and not broken,
        zoo=_version("keras-zoo"),
        python=f"{platform.python_version()} ({platform.python_implementation()}, {sys.executable})",
        operating_system=platform.platform(),
        machine=_or_error(_machine),
        quota=_or_error(quota),
        available_memory_gib=_or_error(_available_memory),
        gpus=imports["tensorflow"].get("devices", []),
        runtimes={
            name: Runtime(module not in lacking, imports[module].get("devices", []))
            for name, module in runtimes.items()
        },
        plugins=broken,
        environment={
            name: value
            for name, value in sorted(os.environ.items())
            # The command line sets the usual backend itself, which says nothing about the installation.
            if VARIABLES.fullmatch(name) and not HIDDEN.fullmatch(name) and (name, value) != ("KERAS_BACKEND", BACKEND)
        },
        keras_json=_or_error(keras_json),
        packages={
            _distribution(module): Package(_version(_distribution(module)), result.get("error"))
            for module, result in imports.items()
        },
        verbs=verbs,
        mend=_mend([module for module in needed if module in lacking], imports),
    )


def import_all(modules: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Import each module in a child process; return its `error` where that fails, and its `devices` where it has some.

    One child imports all modules. Where it dies, the next child continues after the module that killed it.
    """
    results: dict[str, dict[str, Any]] = {}
    remaining = list(modules)
    while remaining:
        lines, ending = _probe(remaining)
        for line in lines:
            if "imported" in line:
                results[line.pop("imported")] = line
        unanswered = [module for module in remaining if module not in results]
        if unanswered:
            results[unanswered[0]] = {"error": ending}
        remaining = unanswered[1:]
    return results


def _probe(modules: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Run a child on the modules; return the findings that it printed, and how it ended."""
    try:
        done = subprocess.run(
            # -P: a file in the current folder must not be imported in place of a library.
            [sys.executable, "-P", "-c", PROBE, *modules],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
        output, ending = done.stdout, f"the import ends the process ({_status(done.returncode)})"
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        ending = f"the import takes more than {SECONDS} s"
    except OSError as error:
        output, ending = "", f"no process can be started ({error.strerror})"
    # Libraries may print lines of their own.
    return [json.loads(line) for line in output.splitlines() if line.startswith(('{"begun"', '{"imported"'))], ending


def _status(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def quota(root: Path = container.ROOT) -> dict[str, float | None]:
    """Return the container's limits of CPUs, and of memory in GiB; None where there is no limit."""
    cpus, memory = container.cpu_limit(root), container.memory_limit(root)
    return {
        "cpus": None if cpus is None else round(cpus, 2),
        "memory_gib": None if memory is None else round(memory / 2**30, 1),
    }


def keras_json() -> dict[str, Any]:
    """Read the user's keras.json; empty where there is none."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    text = _read(home / "keras.json")
    settings = json.loads(text) if text else {}
    return settings if isinstance(settings, dict) else {"error": f"{home / 'keras.json'} holds no object"}


def _machine() -> dict[str, Any]:
    from zoo import provenance

    return {**provenance.machine(), "cores": os.cpu_count()}


def _available_memory() -> float:
    return round(container.available_memory() / 2**30, 1)


def _or_error(find: Callable[[], Any]) -> Any:
    """Return the result of `find`, or why it failed: an error in one part of the report must not end the others."""
    try:
        return find()
    except Exception as error:
        return {"error": class_and_message(error)}


def _runtimes() -> dict[str, str]:
    """Return the library of each format and runtime by name, including those that installed packages add."""
    libraries: dict[str, str] = _or_error(lambda: {name: row.library for name, row in formats.table().items()})
    return {} if "error" in libraries else libraries


def _kinds() -> dict[str, Input]:
    """Return every kind of input by name; an empty dictionary if they cannot be loaded."""
    try:
        from zoo import input as inputs

        return inputs.kinds()
    except Exception:  # pydantic may be broken, which is a finding of its own
        return {}


def _broken_plugins() -> dict[str, str]:
    """Return the error of each group of entry points that does not load, because of what an installed package adds."""
    errors = {}
    for group, function in GROUPS.items():
        try:
            pkgutil.resolve_name(function)()
        except ZooError as error:
            errors[group] = one_line(error, 400)
        except Exception:  # numpy or pydantic may be broken, which is a finding of its own
            continue
    return errors


def _needs(kinds: Mapping[str, Input]) -> Iterator[Need]:
    """Yield rows for the kinds of input that need packages of their own."""
    for kind in kinds.values():
        if kind.client_libraries:
            yield Need(f"verify, predict, benchmark with {kind.plural}", tuple(kind.client_libraries))
        if kind.data_libraries:
            libraries = (*kind.client_libraries, *kind.data_libraries)
            yield Need(f"train, evaluate, export with {kind.plural}", libraries)


def _distribution(module: str) -> str:
    """Return the name by which pip knows a package that verbs, kinds of input or runtimes import."""
    if module in DISTRIBUTIONS:
        return DISTRIBUTIONS[module]
    for kind in _kinds().values():
        if module in (distributions := {**kind.client_libraries, **kind.data_libraries}):
            return distributions[module]
    return importlib.metadata.packages_distributions().get(module, [module])[0]


def _verb(need: Need, lacking: set[str], imports: dict[str, dict[str, Any]]) -> Verb:
    missing = [module for module in need.modules if module in lacking]
    return Verb(
        verb=need.use,
        optional=need.optional,
        ready=not missing,
        missing=[_distribution(module) for module in missing],
        mend=_mend(missing, imports),
    )


def _mend(missing: list[str], imports: dict[str, dict[str, Any]]) -> str | None:
    """Return the command that installs the missing packages, and reinstalls the broken ones."""
    if not missing:
        return None
    # Keras fails to import where the backend that the variable names is not installed.
    other_backend = "keras" in missing and os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow"
    if other_backend or any("KERAS_BACKEND" in str(imports[module].get("error")) for module in missing):
        return "set KERAS_BACKEND=tensorflow"
    installed = any(_version(_distribution(module)) for module in missing)
    wanted = " ".join(f"'{_requirement(_distribution(module))}'" for module in missing)
    return f"pip install {'--force-reinstall ' if installed else ''}{wanted}"


def missing(module: str) -> str:
    """Return one line about a module that cannot be imported, with the command that installs its package if known."""
    distributions = {**DISTRIBUTIONS}
    for kind in _kinds().values():
        distributions |= {**kind.client_libraries, **kind.data_libraries}
    first = module.partition(".")[0]
    package = next(
        (name for import_name, name in distributions.items() if first == import_name.partition(".")[0]), None
    )
    mend = f"pip install '{_requirement(package)}'" if package else "'zoo doctor' shows what this installation lacks"
    return f"the package of {module} is not installed: {mend}"


def _requirement(distribution: str) -> str:
    """Return the requirement of a distribution as zoo's metadata state it, such as `keras>=3.15`."""
    try:
        lines = importlib.metadata.requires("keras-zoo") or []
    except importlib.metadata.PackageNotFoundError:
        lines = []
    requirements = (line.partition(";")[0].strip() for line in lines)
    return next((text for text in requirements if re.split(r"[<>=!~\[ ]", text)[0] == distribution), distribution)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""

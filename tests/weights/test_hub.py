"""Downloads with the real huggingface_hub, in separate processes, from a local server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.weights.hub_server import COMMIT, Hub, serving

REPOSITORY = "timm/mobilenetv3_small_100.lamb_in1k"
CONTENT = bytes(range(256)) * 4096
FETCH = """
from zoo.errors import ZooError
from zoo.weights.hub import fetch
try:
    fetched = fetch("{repository}")
    print(fetched.revision, fetched.path)
except ZooError as error:
    print("refused:", error)
"""


def environment(cache: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    return {**kept, "HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1", **more}


def fetched(cache: Path, repository: str = REPOSITORY, before: str = "", **more: str) -> str:
    """The output of a fresh process: commit and path, or the error."""
    program = before + FETCH.format(repository=repository)
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment(cache, **more)).stdout


def test_what_was_fetched_is_there_without_a_network(tmp_path: Path) -> None:
    with serving(Hub({REPOSITORY: {"model.safetensors": CONTENT}})) as hub:
        revision, path = fetched(tmp_path, HF_ENDPOINT=hub.url).split()
    assert revision == COMMIT
    assert Path(path).read_bytes() == CONTENT
    assert fetched(tmp_path, HF_HUB_OFFLINE="1").split() == [COMMIT, path]


def test_a_download_that_broke_off_goes_on(tmp_path: Path) -> None:
    large = CONTENT * 24  # the library writes 10 MB at a time
    with serving(Hub({REPOSITORY: {"model.safetensors": large}}, cut=True)) as hub:
        first = fetched(tmp_path, HF_ENDPOINT=hub.url)
        # By version, the library tries again itself, or the user does.
        _, path = (fetched(tmp_path, HF_ENDPOINT=hub.url) if "try again" in first else first).split()
    assert Path(path).read_bytes() == large
    assert hub.ranges
    assert hub.ranges[-1] != "bytes=0-"


@pytest.mark.parametrize(
    ("hub", "message"),
    [
        (Hub({}), f"has no repository {REPOSITORY}: choose another tag"),
        (Hub({REPOSITORY: {"pytorch_model.bin": b"a pickle"}}), "has no model.safetensors, and nothing else is loaded"),
        (
            Hub({REPOSITORY: {}}, gated=True),
            "is open only to those who accepted its terms: log in with 'hf auth login'",
        ),
    ],
)
def test_what_the_hub_does_not_give(hub: Hub, message: str, tmp_path: Path) -> None:
    with serving(hub):
        said = fetched(tmp_path, HF_ENDPOINT=hub.url)
    assert message in said
    assert "--file" in said
    assert said.count("\n") == 1


def test_offline_and_not_in_the_cache(tmp_path: Path) -> None:
    said = fetched(tmp_path, HF_HUB_OFFLINE="1")
    assert "is not in the cache, and HF_HUB_OFFLINE is set: unset it" in said
    assert said.count("\n") == 1


def test_the_library_is_wanted_only_here(tmp_path: Path) -> None:
    said = fetched(tmp_path, before="import sys; sys.modules['huggingface_hub'] = None\n")
    assert "pip install 'keras-zoo[pretrained]', or read a local file with 'zoo pull --file'" in said

"""Golden answers and wrong requests over REST, against a TF Serving that serves an artifact (see tf_serving.sh).

usage: python tf_serving.py ARTIFACT URL      URL is http://HOST:PORT/v1/models/NAME
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

TOLERANCE = 1e-4
WRONG = {"numbers": [1.0, 2.0], "a scalar": [3], "too small": [[[[0]]]], "text": ["image"]}


def ask(url: str, body: Any = None) -> tuple[int, Any]:
    """The status and the JSON document that a URL answers; POST when there is a body."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_until_available(url: str, seconds: float = 60) -> None:
    """Poll the model's state: the status is 200 whatever it is, so the state is read."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            _, document = ask(url)
            if document["model_version_status"][0]["state"] == "AVAILABLE":
                return
        except (OSError, KeyError, ValueError):
            pass
        time.sleep(0.5)
    sys.exit(f"{url} is not AVAILABLE after {seconds:g} s")


def difference(url: str, golden: Any) -> float:
    """How far the served logits are from the golden ones, as a share of the largest."""
    status, document = ask(f"{url}:predict", {"instances": golden["image"].tolist()})
    if status != 200:
        sys.exit(f"golden images got {status}: {document}")
    logits = np.array([row["logits"] for row in document["predictions"]])
    return float(np.abs(logits - golden["logits"]).max() / np.abs(golden["logits"]).max())


def main() -> None:
    """Run the checks; exit 1 at the first that fails."""
    artifact, url = Path(sys.argv[1]), sys.argv[2]
    golden = np.load(artifact / "golden.npz", allow_pickle=False)
    wait_until_available(url)
    before = difference(url, golden)
    for name, instances in WRONG.items():
        status, document = ask(f"{url}:predict", {"instances": instances})
        print(f"{name}: {status} {str(document)[:100]}")
        if status != 400:
            sys.exit(f"{name} got {status}, not 400")
    after = difference(url, golden)
    print(f"golden answers differ by {before:.1e} of the largest logit, and by {after:.1e} after the wrong requests")
    if max(before, after) > TOLERANCE:
        sys.exit("the golden answers differ")


if __name__ == "__main__":
    main()

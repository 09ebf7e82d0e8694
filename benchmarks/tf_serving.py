"""Check a TF Serving that serves an artifact: golden logits, uploads and wrong requests over REST.

tf_serving.sh starts such a server and calls this script.

usage: python tf_serving.py ARTIFACT URL      URL is http://HOST:PORT/v1/models/NAME
"""

from __future__ import annotations

import base64
import io
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

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
    """The largest difference between the served and the golden logits, relative to the largest logit."""
    status, document = ask(f"{url}:predict", {"instances": golden["image"].tolist()})
    if status != 200:
        sys.exit(f"golden images got {status}: {document}")
    logits = np.array([row["logits"] for row in document["predictions"]])
    return float(np.abs(logits - golden["logits"]).max() / np.abs(golden["logits"]).max())


def as_png(pixels: np.ndarray) -> dict[str, str]:
    """An upload of uint8 pixels [height, width, channels], as TF Serving's REST interface takes bytes."""
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return {"b64": base64.b64encode(file.getvalue()).decode()}


def check_uploads(url: str, pixels: np.ndarray, labels: list[str]) -> None:
    """Call the signatures that take uploads; exit 1 if they differ, or if a broken upload fails other images, too."""
    uploads = [as_png(image) for image in pixels]
    mixed = [*uploads, {"b64": base64.b64encode(b"no image").decode()}]

    def predict(signature: str, instances: list[Any]) -> tuple[int, Any]:
        return ask(f"{url}:predict", {"signature_name": signature, "instances": instances})

    status, document = predict("serve_bytes", uploads)
    if status != 200:
        sys.exit(f"serve_bytes got {status}: {document}")
    logits = np.array([row["logits"] for row in document["predictions"]])
    likeliest = [labels[place] for place in logits.argmax(-1)]
    status, document = predict("serve_bytes", mixed)
    print(f"serve_bytes with a broken upload: {status} {str(document)[:120]}")
    if status != 400 or f"image {len(mixed)} of {len(mixed)}" not in str(document):
        sys.exit("serve_bytes does not refuse the broken upload by its place")
    status, document = predict("serve_bytes_safe", mixed)
    rows = document.get("predictions", [])
    if status != 200 or [bool(row["status"]) for row in rows] != [False] * len(uploads) + [True]:
        sys.exit(f"serve_bytes_safe got {status} and not one refused upload: {str(document)[:200]}")
    safe = np.array([row["logits"] for row in rows[:-1]])
    if np.abs(safe - logits).max() > TOLERANCE * np.abs(logits).max():
        sys.exit("serve_bytes_safe answers otherwise than serve_bytes")
    status, document = predict("serve_labels", uploads)
    if status != 200 or [row["classes"][0] for row in document["predictions"]] != likeliest:
        sys.exit(f"serve_labels got {status} and not the likeliest labels: {str(document)[:200]}")
    examples = [{"image_bytes": upload} for upload in uploads]
    status, document = ask(f"{url}:classify", {"signature_name": "classify", "examples": examples})
    if status != 200 or [row[0][0] for row in document["results"]] != likeliest:
        sys.exit(f"classify got {status} and not the likeliest labels: {str(document)[:200]}")
    print(f"serve_bytes, serve_bytes_safe, serve_labels and classify agree on {len(uploads)} uploads")


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
    check_uploads(url, golden["image"], (artifact / "labels.txt").read_text(encoding="utf-8").splitlines())
    after = difference(url, golden)
    print(f"golden answers differ by {before:.1e} of the largest logit, and by {after:.1e} after the wrong requests")
    if max(before, after) > TOLERANCE:
        sys.exit("the golden answers differ")


if __name__ == "__main__":
    main()

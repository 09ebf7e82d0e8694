#!/usr/bin/env bash
# Send golden and wrong requests to the official TF Serving image, as the export's server gate sends them to TensorFlow's
# loader, and check that the server is still alive.
# usage: benchmarks/tf_serving.sh ARTIFACT [IMAGE]      needs Docker; PYTHON names an interpreter with numpy
set -euo pipefail
artifact=$(realpath "${1:?usage: tf_serving.sh ARTIFACT [IMAGE]}")
image=${2:-tensorflow/serving:latest}
port=${PORT:-18501}
container=$(docker run --detach --rm --publish "127.0.0.1:$port:8501" --volume "$artifact/saved_model:/models/zoo:ro" \
    --env MODEL_NAME=zoo "$image")
trap 'docker stop "$container" >/dev/null' EXIT
"${PYTHON:-python3}" "$(dirname "$0")/tf_serving.py" "$artifact" "http://127.0.0.1:$port/v1/models/zoo"

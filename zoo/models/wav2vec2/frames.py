"""The frames that Wav2Vec 2.0 makes of a waveform: one every 20 ms, of 25 ms each. No framework is imported."""

from __future__ import annotations

import math

CONVOLUTIONS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))
"""The kernel and the stride of each convolution, in samples or in frames of the previous convolution."""

STRIDE = math.prod(stride for _, stride in CONVOLUTIONS)
"""The number of samples from one frame to the next."""

FEWEST_SAMPLES = 400
"""The number of samples that a frame is computed from; a shorter waveform has no frame."""


def counts_before(frames: int) -> list[int]:
    """Count the frames that each convolution makes if the last one makes `frames`."""
    counts = [frames]
    for kernel, stride in reversed(CONVOLUTIONS[1:]):
        counts.append((counts[-1] - 1) * stride + kernel)
    return counts[::-1]


def frame_count(samples: int) -> int:
    """Count the frames of a waveform; 0 where it is shorter than `FEWEST_SAMPLES`."""
    for kernel, stride in CONVOLUTIONS:
        samples = max(0, (samples - kernel) // stride + 1)
    return samples

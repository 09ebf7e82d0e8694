"""Sound: encoded clips, which networks take as a waveform or as a log-mel spectrogram."""

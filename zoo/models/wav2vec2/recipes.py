"""Published recipes of Wav2Vec 2.0: fine-tuning."""

from __future__ import annotations

from zoo.named_recipe import NamedRecipe

RECIPES = {
    "original": NamedRecipe(
        title="Baevski et al. 2020: a rate that rises, stays and falls",
        source="Baevski et al. 2020, arXiv:2006.11477, appendix B; rate: fairseq's "
        "examples/wav2vec/config/finetuning/base_100h.yaml",
        cost="20 epochs in batches of 32; the paper counts steps, 12,000 to 320,000",
        expected="no accuracy is published of this recipe for classes: the paper fine-tunes for transcripts",
        from_weights=True,
        differs="the convolutions are trained, too, and the transformer from the first step on; neither frames nor "
        "channels are masked, and no block is left out; beta 2 is 0.999, not 0.98",
        keys={
            "epochs": 20,
            "batch_size": 32,
            "keep": "last",
            "network.dropout": 0.1,
            "optimizer.name": "adamw",
            "optimizer.lr": 3e-5,
            "optimizer.weight_decay": 0.0,
            # A tenth of the training rises, four tenths stay, the rest falls.
            "schedule.shape": "linear",
            "schedule.warmup_epochs": 2,
            "schedule.hold_epochs": 8,
            "audio.front": "waveform",
            "audio.frequency_masks": 0,
            "audio.time_masks": 0,
            "audio.shift": 0.0,
            "audio.noise": 0.0,
        },
    ),
    "superb": NamedRecipe(
        title="the keywords of SUPERB, as transformers' example trains them",
        source="examples/pytorch/audio-classification/README.md of github.com/huggingface/transformers, single GPU",
        cost="5 epochs in batches of 128, in four parts of 32: 14 minutes on a V100",
        expected="98.26 % of SUPERB's evaluation clips for keyword spotting with facebook/wav2vec2-base (the README)",
        from_weights=True,
        differs="the convolutions are trained, too; no frames are masked; float32, where theirs is float16",
        keys={
            "epochs": 5,
            "batch_size": 128,
            "accumulate": 4,
            "network.dropout": 0.1,
            "optimizer.name": "adamw",
            "optimizer.lr": 3e-5,
            "optimizer.weight_decay": 0.0,
            "optimizer.clip_norm": 1.0,
            "schedule.shape": "linear",
            "schedule.warmup_epochs": 0.5,
            "audio.front": "waveform",
            "audio.seconds": 1.0,
            "audio.frequency_masks": 0,
            "audio.time_masks": 0,
            "audio.shift": 0.0,
            "audio.noise": 0.0,
        },
    ),
}

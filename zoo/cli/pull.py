"""`zoo pull`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command("pull")
@click.argument("family")
@click.option("--size", help="The size of the family, such as small, base or large.  [default: small]")
@click.option("--from", "from_", default="timm", show_default=True, help="The publisher: timm, keras or transformers.")
@click.option("--tag", help="The tag of the weights; 'zoo info FAMILY' lists them.  [default: the first]")
@click.option("--classes", type=int, help="The number of classes of the weights.  [default: 1000, or the folder's]")
@click.option("--image-size", type=int, help="The side of the input in pixels.  [default: the weights' own]")
@click.option("--channels", type=int, help="1 to 4; the first layer's weights are adapted.  [default: 3]")
@click.option("--seconds", type=float, help="The length of the clips that a network of sound takes.  [default: 1]")
@click.option("--file", type=click.Path(path_type=Path), help="A file or folder of weights; nothing is fetched.")
@click.option("--license", metavar="SPDX", help="The license of a --file that has no --tag.")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder to write.  [default: runs/NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print the run as one JSON document.")
def command(family: str, as_json: bool, **options: Any) -> None:
    """Make a run of a FAMILY (or an alias such as resnet50) from published weights.

    \b
    zoo pull resnet --size base
    zoo pull vit --size small --tag augreg_in1k --image-size 384
    zoo pull mobilenet --file model.safetensors --tag lamb_in1k
    zoo pull bert --from transformers --file FOLDER
    zoo pull wav2vec2 --size base --from transformers --file FOLDER
    """
    import zoo
    from zoo.cli.output import print_json, say
    from zoo.input import kind_of
    from zoo.schema import to_dict

    run_folder = zoo.pull(family, **options, say=say)
    model, weights = run_folder.run.model, run_folder.run.weights
    assert weights is not None, "a run that was pulled says whose weights it has"
    if as_json:
        print_json({"run": str(run_folder.folder), **to_dict(run_folder.run)})
    else:
        labels = f"{len(model.labels)} {'symbols' if model.symbols else 'classes'}"
        takes = kind_of(model.preprocessing).client.facts(model.preprocessing)["input"]
        say(f"{run_folder.folder}: {model.parameters:,} parameters, {labels}, {takes}, {weights.license}")

"""`zoo train`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("family", required=False)
@click.option("--size", help="small, base or large.  [default: small]")
@click.option("--data", default="digits", show_default=True, help="digits, tfds:NAME[:VERSION] or folder:PATH.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Where prepared TFDS data are (else TFDS_DATA_DIR); with --resume, where the run's data are now.",
)
@click.option(
    "--weights", type=click.Path(path_type=Path), metavar="RUN", help="Fine-tune: start from a finished run's weights."
)
@click.option("--freeze", is_flag=True, help="Short for --set freeze=true: train the head only.")
@click.option("--bad-images", type=click.Choice(["error", "skip"]), default="error", show_default=True)
@click.option("--epochs", type=int, help="Short for --set epochs=N.")
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change the recipe, such as optimizer.lr=0.1."
)
@click.option("--strategy", type=click.Choice(["auto", "single", "mirrored"]), default="auto", show_default=True)
@click.option("--devices", type=int, help="Split the CPU into N logical devices, for trying and testing.")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder to write.  [default: runs/NAME]")
@click.option(
    "--resume", type=click.Path(path_type=Path), metavar="RUN", help="Continue an interrupted run with its own recipe."
)
@click.option("--json", "as_json", is_flag=True, help="The finished run as one JSON document on standard output.")
@click.pass_context
def command(
    context: click.Context,
    family: str | None,
    size: str | None,
    data: str,
    data_dir: Path | None,
    weights: Path | None,
    freeze: bool,
    bad_images: str,
    epochs: int | None,
    seed: int | None,
    settings: tuple[str, ...],
    strategy: str,
    devices: int | None,
    out: Path | None,
    resume: Path | None,
    as_json: bool,
) -> None:
    """Train a FAMILY (or an alias such as resnet50) and write a run folder.

    \b
    zoo train resnet --size small --data digits --epochs 10
    zoo train cnn --size base --data tfds:fashion_mnist --set optimizer.lr=0.001
    zoo train --weights runs/resnet-small-digits --data folder:images --freeze
    zoo train --resume runs/resnet-small-digits
    """
    from zoo import run, schema
    from zoo.cli.output import print_json, say, say_environment
    from zoo.errors import ZooError
    from zoo.tensorflow_setup import wake_keras
    from zoo.training.fine_tuning import network

    fixed = ("family", "size", "weights", "freeze", "data", "bad_images", "epochs", "seed", "settings", "out")
    given = [name for name in fixed if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    if resume and given:
        raise ZooError(f"--resume goes on with the run's own recipe: leave {', '.join(given)} out")
    if resume:
        run.read(resume)
    else:
        network(family, size, weights)

    say_environment()
    wake_keras()
    from zoo.training import start

    if resume:
        folder = start.resume(resume, data_dir=data_dir, strategy=strategy, devices=devices, say=say)  # type: ignore[arg-type]
    else:
        from zoo.export.build import preflight

        short = (("epochs", epochs), ("seed", seed), ("freeze", freeze or None))
        shorthands = [f"{key}={value}" for key, value in short if value is not None]
        folder = start.start(
            family,
            size=size,
            weights=weights,
            source=data,
            data_dir=data_dir,
            bad_images=bad_images,
            settings=[*settings, *shorthands],
            out=out,
            strategy=strategy,  # type: ignore[arg-type]
            devices=devices,
            preflight=preflight,
            say=say,
        )
    done = run.read_finished(folder)
    if as_json:
        print_json({"run": str(folder), **schema.plain(done)})
    else:
        accuracy, images = done.results["test_accuracy"], done.results["test_images"]
        low, high = done.results["test_interval"]
        shared = (done.data.overlap or {}).get("test") if done.data else None
        seen = f", {shared} of which it has seen in training or validation" if shared else ""
        say(f"{folder}: test accuracy {accuracy:.4f} ({low:.4f} to {high:.4f}, {images} images{seen})")

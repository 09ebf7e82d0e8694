"""`zoo data`."""

from __future__ import annotations

import contextlib

import click

from zoo.cli.ending import Ended


@click.group("data", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Serve data to trainings on other machines."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@command.command("serve")
@click.option("--host", default="localhost", show_default=True, help="The name by which trainings reach this machine.")
@click.option("--port", type=int, default=5050, show_default=True, help="The first port; each server takes two.")
@click.option(
    "--servers",
    type=int,
    default=1,
    show_default=True,
    help="The number of servers to start. One uses all processors; start more if its connection is the bottleneck.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one JSON document.")
def serve(host: str, port: int, servers: int, as_json: bool) -> None:
    """Make the batches of trainings with TensorFlow's tf.data service, until Ctrl-C or SIGTERM.

    Prints the addresses for 'zoo train --tf-data-service'. The files of the data must be at the same paths here as
    there. Whoever reaches the ports can read and write this machine's files: keep them inside the cluster's network.

    \b
    zoo data serve --host data-1.cluster
    zoo train resnet --data folder:/shared/images --tf-data-service data-1.cluster:5050
    """
    import zoo
    from zoo.cli.output import print_json, say

    served = zoo.serve_data(host=host, port=port, servers=servers)
    with contextlib.suppress(KeyboardInterrupt, Ended), served as running:
        if as_json:
            print_json({"addresses": list(running.addresses)})
        else:
            click.echo(",".join(running.addresses))
        say("serving until Ctrl-C")
        running.wait()

"""`mlflow-hpo deliver`: send what waits on disk because a store was away when its study ended."""

from __future__ import annotations

import click

from mlflow_hpo.core.errors import HPOError


@click.command()
@click.option("--debug", is_flag=True, help="Show tracebacks and what MLflow says.")
def deliver(debug: bool) -> None:
    """Send what was not delivered, because MLflow was away when a study ended, or the study's process was killed.

    Everything arrives once and in order, however often this is run, after a restart of the machine too.
    """
    from mlflow_hpo.tracking.delivery import deliver_waiting

    results = deliver_waiting()
    for result in results:
        outcome = "delivered" if result.error is None else f"still waits in {result.folder}: {result.error}"
        click.echo(f"study {result.address.run_id}: {outcome}")
    if not results:
        click.echo("Nothing waits to be delivered.")
    if any(result.error is not None for result in results):
        raise HPOError("Not everything could be delivered; run this again when the store is back.")

"""Spools that nobody delivers any more: their process is gone, or their store was away at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_hpo.tracking.delivery._delivery import Delivery
from mlflow_hpo.tracking.delivery._errors import StoreAwayError
from mlflow_hpo.tracking.delivery._page import PageMaker
from mlflow_hpo.tracking.spool import Address, Spool, waiting_spools

_PATIENCE_SECONDS = 30.0
_PAGE_SECONDS = 60.0


@dataclass(frozen=True)
class Delivered:
    """What became of a spool.

    Parameters
    ----------
    address : Address
        Where it goes.
    folder : str
        Where it is, or was.
    error : str or None
        Why it is still there.
    """

    address: Address
    folder: str
    error: str | None = None


def deliver_waiting(run_id: str | None = None) -> list[Delivered]:
    """Deliver the spools that are on disk and that nobody else delivers.

    Parameters
    ----------
    run_id : str or None
        Of the study whose spools are meant; None delivers all.

    Returns
    -------
    list of Delivered
        One a spool.
    """
    # Of one study: the process that delivers is about to go, now that nobody runs it.
    patience = 0.0 if run_id is None else _PATIENCE_SECONDS
    spools = [spool for spool in waiting_spools() if run_id is None or spool.address.run_id == run_id]
    delivered = [_deliver(spool, patience) for spool in spools]
    if run_id is None:
        _make_pages({one.address.run_id: one.address for one in delivered if one.error is None})
    return delivered


def _make_pages(addresses: Mapping[str, Address]) -> None:
    """Make the reports of studies that have been delivered to their end."""
    for address in addresses.values():
        page = PageMaker(address)
        page.finish()
        page.wait(_PAGE_SECONDS)


def _deliver(spool: Spool, patience: float) -> Delivered:
    lock = spool.lock(patience)
    if lock is None:
        return Delivered(spool.address, str(spool.folder), "another process is delivering it")
    try:
        delivery = Delivery(spool)
        delivery.deliver()
        delivery.abandon()
    except StoreAwayError as error:
        return Delivered(spool.address, str(spool.folder), str(error))
    finally:
        lock.release()
    spool.remove()
    return Delivered(spool.address, str(spool.folder))

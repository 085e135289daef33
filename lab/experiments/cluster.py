"""A Dask cluster that takes the runs of a list, where the reader has one."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab import config
from lab.base.messages import _
from lab.config import LabError

PATIENCE = 10.0  # seconds for a scheduler to answer


@contextlib.contextmanager
def dask_client() -> Iterator[Any]:
    """Give the client of the Dask cluster to use, or None for this machine alone.

    It is the client that the notebook has made, else one for the scheduler whose address is in
    LAB2_DASK, for as long as it is needed. Its workers see the lab's folder on a shared disk; each
    must have one thread, because a training uses the process's random numbers. Raises LabError if
    no scheduler answers, or if a worker has several threads.
    """
    address = config.variable("DASK")
    if not address and "distributed" not in sys.modules:
        yield None
        return
    try:
        import distributed
    except ImportError as error:
        raise LabError(
            _("LAB2_DASK is set, but Dask is not installed. Unset it, or install `distributed`.")
        ) from error
    with contextlib.ExitStack() as stack:
        try:
            client = distributed.default_client()
        except ValueError:  # the notebook has made none
            client = stack.enter_context(_connect(address)) if address else None
        if client is not None:
            _make_ready(client)
        yield client


def _connect(address: str) -> Any:
    """Return a client for the Dask scheduler at `address`."""
    import distributed

    try:
        return distributed.Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise LabError(
            _(
                "No Dask scheduler answers at LAB2_DASK={address}: {reason}. Start one there, or "
                "unset LAB2_DASK to train on this machine.",
                address=address,
                reason=str(error).strip().split("\n")[0],
            )
        ) from error


def _make_ready(client: Any) -> None:
    """Wait for the workers, look at them, and tell them, and all that come later, where we are."""
    from distributed.diagnostics.plugin import UploadFile

    if not client.scheduler_info()["workers"]:
        print(_("Waiting for the first worker of the Dask cluster ..."))
    client.wait_for_workers(1)
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if any(worker["nthreads"] != 1 for worker in workers):
        raise LabError(_("A Dask worker has several threads. Start the workers with --nthreads 1."))
    with tempfile.TemporaryDirectory() as folder:  # a worker imports what it is sent
        module = Path(folder) / "lab2_path.py"
        module.write_text(f"import sys\n\nsys.path.insert(0, {str(config.ROOT)!r})\n", "utf-8")
        client.register_plugin(UploadFile(str(module)), name="lab2-path")

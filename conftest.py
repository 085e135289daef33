"""Makes the bare `pytest --nbval lab2.ipynb` stable (nbval), from any folder and however often."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbval import kernel

from lab import config as lab_config
from lab.config import ROOT
from lab.environment import vector_files


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where data or sizes are not those of the stored outputs, do not compare what follows them."""
    if not _other_data():
        return
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is not None and cell.metadata.get("differs") == "data":
            item.options["check"] = False


def _other_data() -> bool:
    """Say whether the notebooks will not run in the profile quick on the packaged data."""
    folder = lab_config.data_folder()
    own = lab_config.own_texts() or (folder / "aclImdb").exists() or vector_files(folder)[0]
    return bool(own) or lab_config.get_profile() != lab_config.PROFILES["quick"]


def _once_more(start: Callable[..., Any]) -> Callable[..., Any]:
    """Two kernels that begin at one moment can be given the same port, and one of them dies."""

    def start_new_kernel(*arguments: Any, **options: Any) -> Any:
        try:
            return start(*arguments, **options)
        except RuntimeError:
            return start(*arguments, **options)

    return start_new_kernel


def pytest_configure(config: pytest.Config) -> None:
    """Set nbval's options that depend on where the project is, and the environment of kernels.

    And register our own marker.
    """
    config.addinivalue_line("markers", "long: takes long; `make test-all` runs it")
    option = config.option
    if getattr(option, "nbval_sanitize_with", "absent") is None:
        option.nbval_sanitize_with = str(ROOT / "tests" / "sanitize.cfg")
    if hasattr(option, "nbval_current_env") and not option.nbval_kernel_name:
        option.nbval_current_env = True  # whatever the kernels of this machine are called
    if getattr(option, "nbval_cell_timeout", None) == 2000:  # its default: a dead kernel hangs
        option.nbval_cell_timeout = 900.0
    if getattr(option, "nbval", False):
        kernel.start_new_kernel = _once_more(kernel.start_new_kernel)
    # A test that finds finished runs tests nothing: train anew, beside the student's own results.
    if getattr(option, "nbval", False) and not lab_config.variable("OUT"):
        folder = tempfile.mkdtemp(prefix="lab2-nbval-")
        lab_config.name_output(Path(folder))
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))

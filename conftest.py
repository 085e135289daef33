"""Makes the bare `pytest --nbval lab2.ipynb` stable (nbval), from any folder and however often."""

import shutil
import tempfile
from pathlib import Path

import pytest

from lab import config as lab_config
from lab.config import ROOT


def pytest_configure(config: pytest.Config) -> None:
    """Set nbval's options that depend on where the project is, and the environment of kernels."""
    option = config.option
    if getattr(option, "nbval_sanitize_with", "absent") is None:
        option.nbval_sanitize_with = str(ROOT / "tests" / "sanitize.cfg")
    if hasattr(option, "nbval_current_env") and not option.nbval_kernel_name:
        option.nbval_current_env = True  # whatever the kernels of this machine are called
    if getattr(option, "nbval_cell_timeout", None) == 2000:  # its default: a dead kernel hangs
        option.nbval_cell_timeout = 900.0
    # A test that finds finished runs tests nothing: train anew, beside the student's own results.
    if getattr(option, "nbval", False) and not lab_config.output_is_named():
        folder = tempfile.mkdtemp(prefix="lab2-nbval-")
        lab_config.name_output(Path(folder))
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))

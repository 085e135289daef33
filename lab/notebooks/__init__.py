"""The definitions of the notebooks as modules: `from lab.notebooks.lesson import GRU`.

Models, training loops and run lists stand in the notebooks, where students read them. Here they are
for programs, tests, further notebooks, and the processes that train: `import lab.notebooks.NAME`
makes the module NAME of the notebook in NOTEBOOKS, of its cells tagged `define` alone. A change of
the notebook is seen at the next import.

    loader      cells of a notebook as a Python file
    trainers    from the settings of a run to the training that makes it
    session     a stop in one line; what a restart has taken away

May import whatever the notebooks import.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from typing import Any

from lab import config
from lab.notebooks import loader

NOTEBOOKS = {
    "lesson": "lab2.ipynb",
    "gradients": "further/gradients.ipynb",
    "recipes": "further/recipes.ipynb",
    "transfer": "further/transfer.ipynb",
    "parallel": "further/parallel.ipynb",
    "past": "further/past.ipynb",
}


class _Finder:
    """Finds the modules of notebooks for Python's `import`, also in the processes that train."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return from which file a module is made; None if it is not of a notebook."""
        package, _, module = name.rpartition(".")
        if package != __name__ or module not in NOTEBOOKS:
            return None
        file = loader.write_cells(loader.renamed(config.ROOT / NOTEBOOKS[module]))
        return importlib.util.spec_from_file_location(name, file)


sys.meta_path.append(_Finder)

"""Runs the cells of the notebook that define things, for the tests and the benchmark."""

import linecache
from typing import Any

import nbformat


def definitions(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Return what the cells tagged `define` define: the very code that students read."""
    namespace: dict[str, Any] = {"__name__": "__main__"}  # workers get it by value, as usual
    for number, cell in enumerate(notebook.cells):
        if "define" in cell.metadata.get("tags", []):
            name = f"<lab2.ipynb cell {number}>"
            # so that inspect finds the source, as it does in a notebook
            linecache.cache[name] = (len(cell.source), None, cell.source.splitlines(True), name)
            exec(compile(cell.source, name, "exec"), namespace)
    return namespace

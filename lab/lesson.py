"""lab2.ipynb as a module: `from lab.lesson import GRU`. Its definitions stand in the notebook.

Models, training loop and run lists stand in the notebook, where students read them; here they are
for programs, tests, further notebooks, and the processes that train. A change of the notebook is
seen at the next import.

Who uses it: `tools/reference.py`, the tests. Imports `notebook.py` and `config.py`, and through the
notebook's own imports what the lesson uses.
"""

from lab import config, notebook

notebook.fill(__name__, config.ROOT / "lab2.ipynb")

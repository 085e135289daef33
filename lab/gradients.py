"""further/gradients.ipynb as a module: Jacobians, gates at work.

Its definitions stand in the notebook, as those of `lesson.py` do.

Who uses it: the program `tools/reference.py`, the tests. Imports
`notebook.py` and `config.py`, and through the notebook's own imports what it uses.
"""

from lab import config, notebook

notebook.fill(__name__, config.ROOT / "further" / "gradients.ipynb")

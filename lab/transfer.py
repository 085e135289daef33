"""further/transfer.ipynb as a module: classifiers from language models.

Its definitions stand in the notebook, as those of `lesson.py` do.

Who uses it: `trainings.py`, the program `tools/reference.py`, the tests. Imports
`notebook.py` and `config.py`, and through the notebook's own imports what it uses.
"""

from lab import config, notebook

notebook.fill(__name__, config.ROOT / "further" / "transfer.ipynb")

"""Machinery of the lab that no student edits. The map: who may import whom.

Arrows point one way: a room imports only rooms that stand below it. `tests/test_architecture.py`
reads the imports and compares them with MAP.

    lab2.ipynb, tools/*            the lesson; the programs
    lesson                         the notebook's own definitions, as a module
    utils.py (beside this folder)  what the lesson calls: reviews, tokens, vectors, batches
    figures   tables   sweep   results
    own_texts   imdb   glove   language   recurrent   statistics   runs   cluster   notebook
    files   fingerprint   source   machine
    config   (and doctor.py, which uses nothing else)

    config       settings, profiles, folders, every LAB2_* variable
    files        written whole or not at all, read with their damage noticed
    fingerprint  digests of data and code: what makes a run the same run
    source       the source of what runs, in a form without layout
    machine      cores, device, threads; what a record says of them
    imdb, glove, own_texts    reviews and vectors as they lie on disk; the reader's own texts
    recurrent    `nn.RNN` and `nn.GRU` with a faster backward pass
    language     text as a stream; models that count
    runs         one run: its settings, its record, its checkpoint
    sweep        many runs, on cores, a GPU or a cluster; the progress bar
    cluster      Dask, where there is one
    results      result files, and the stored results of data/reference
    statistics   intervals and tests
    tables       tables as a page shows them
    figures      all figures, and their look
    notebook     cells of a notebook as a module
    lesson       the module of lab2.ipynb
"""

MAP = {
    "config": (),
    "files": ("config",),
    "source": ("config",),
    "fingerprint": ("config", "source"),
    "machine": ("config",),
    "imdb": ("config",),
    "glove": ("config",),
    "own_texts": ("config",),
    "recurrent": (),
    "language": ("config", "fingerprint"),
    "statistics": (),
    "cluster": ("config",),
    "runs": ("config", "files", "fingerprint", "machine"),
    "sweep": ("cluster", "config", "files", "fingerprint", "machine", "runs"),
    "results": ("config", "files", "runs"),
    "tables": ("statistics",),
    "figures": ("config", "files"),
    "notebook": ("config", "files"),
    "lesson": ("config", "notebook"),
}

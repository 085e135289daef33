"""Machinery of the lab that no student edits. The map: who may import whom.

Arrows point one way: a room imports only rooms that stand below it. `tests/test_architecture.py`
reads the imports and compares them with MAP.

    lab2.ipynb, further/*, tools/* the lesson, electives; the programs
    trainings                      which notebook's training makes a run
    lesson recipes transfer gradients    the notebooks' own definitions, as modules
    utils.py (beside this folder)  what the lesson calls: reviews, tokens, vectors, batches
    claims   live   checks   answers
    figures   tables   sweep   results   training   run_lists
    own_texts imdb glove   language linear recurrent   statistics   runs cluster   notebook
    files   fingerprint   source   machine
    words
    config   (and doctor.py, which uses nothing else)      cases   given   plays   exercises

    config       settings, profiles, folders, every LAB2_* variable
    words        what code shows, in the reader's language
    files        written whole or not at all, read with their damage noticed
    fingerprint  digests of data and code: what makes a run the same run
    source       the source of what runs, in a form without layout
    machine      cores, device, threads; what a record says of them
    imdb, glove, own_texts    reviews and vectors as they lie on disk; the reader's own texts
    recurrent    `nn.RNN` and `nn.GRU` with a faster backward pass
    language     text as a stream; models that count
    linear       linear models of words: the lines to beat
    runs         one run: its settings, its record, its checkpoint
    training     the frame of a training: epochs, early stopping, falling learning rate
    run_lists    lists of runs, as data: recipes, tuning, seeds
    sweep        many runs, on cores, a GPU or a cluster; the progress bar
    cluster      Dask, where there is one
    results      result files, and the stored results of data/reference
    statistics   intervals and tests
    tables       tables as a page shows them
    figures      all figures, and their look
    claims       what the lab says, as numbers that any run can be held against
    exercises    what the student is asked for, with its points
    given        what the lab stands on where an exercise may be unsolved
    plays        how the functions that a student writes are called
    cases        inputs, right answers and usual mistakes of the exercises in code
    answers      answers as they stand in a notebook's file
    checks       what a student calls: is it right? and what was predicted?
    live         a text box that shows what networks believe while one types
    notebook     cells of a notebook as a module
    lesson, recipes, transfer, gradients    the modules of lab2.ipynb and of notebooks in further/
    trainings    from the settings of a run to the training that makes it
"""

MAP = {
    "config": (),
    "words": ("config",),
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
    "linear": (),
    "training": ("runs",),
    "run_lists": ("config", "runs"),
    "sweep": ("cluster", "config", "files", "fingerprint", "machine", "runs", "words"),
    "results": ("config", "files", "runs", "words"),
    "tables": ("config", "statistics"),
    "figures": ("config", "files", "words"),
    "claims": ("config", "files", "linear", "results"),
    "live": ("figures",),
    "plays": (),
    "given": ("plays",),
    "exercises": (),
    "cases": ("given", "plays"),
    "checks": ("cases", "config", "exercises", "files", "plays", "words"),
    "answers": ("config", "exercises"),
    "notebook": ("config", "files"),
    "lesson": ("config", "notebook"),
    "recipes": ("config", "notebook"),
    "transfer": ("config", "notebook"),
    "gradients": ("config", "notebook"),
    "trainings": ("fingerprint", "lesson", "recipes", "runs", "transfer"),
}

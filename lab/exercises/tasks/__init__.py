"""What the exercises that ask for code are tried with: inputs, right answers, known mistakes.

A task makes its inputs from a seed, calls the student's function with them, and compares what
returns, its gradients too where it has some, with what the lab's own version gives
(`solutions.py`). Inputs and results are plain data, so that the call can be made in one process and
the comparison in another.

A known mistake is the lab's version with one thing changed: a term left out, two gates exchanged.
Where a student's function equals one of them, that can be said.

    task        what a task consists of
    cells       the three cells
    sequences   averages, unrolling, the last state
    training    loss, update, a loop with errors
    language    perplexity, the loss of a piece, the nucleus
    analysis    gates, gradients, McNemar's test, beliefs
    electives   the further notebooks
"""

from lab.exercises.tasks import analysis, cells, electives, language, sequences, training
from lab.exercises.tasks.task import Task

TASKS = {  # as the exercise is called, with hyphens: RNN_CELL of `cells` is "rnn-cell"
    name.lower().replace("_", "-"): task
    for module in (sequences, cells, training, language, analysis, electives)
    for name, task in vars(module).items()
    if isinstance(task, Task)
}

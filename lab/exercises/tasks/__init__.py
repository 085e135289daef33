"""What the exercises that ask for code are tried with: inputs, right answers, known mistakes.

A task makes its inputs from a seed, calls the student's function with them, and compares what
returns with what the lab's own version gives (`solutions.py`). Inputs and results are plain data,
so that the call can be made in one process and the comparison in another.

A known mistake is the lab's version with one thing changed: a term left out, two gates exchanged.
Where a student's function equals one of them, that can be said.

    task        what a task consists of
    cells       the three cells
    sequences   averages, unrolling, the last state
    training    loss, update, mean over reviews
    language    perplexity, the loss of a piece, the nucleus
    analysis    gates, gradients, McNemar's test, beliefs
    electives   the further notebooks
"""

from lab.exercises.tasks import analysis, cells, electives, language, sequences, training

TASKS = {
    "average-vectors": sequences.AVERAGE,
    "rnn-cell": cells.RNN_CELL,
    "unroll": sequences.UNROLL,
    "lstm-cell": cells.LSTM_CELL,
    "gru-cell": cells.GRU_CELL,
    "count-weights": sequences.COUNT_WEIGHTS,
    "last-state": sequences.LAST_STATE,
    "binary-loss": training.BINARY_LOSS,
    "training-step": training.TRAINING_STEP,
    "mean-over-reviews": training.MEAN_OVER_REVIEWS,
    "perplexity": language.PERPLEXITY,
    "piece-loss": language.PIECE_LOSS,
    "nucleus": language.NUCLEUS,
    "open-gate": analysis.OPEN_GATE,
    "gradient-by-step": analysis.GRADIENT_BY_STEP,
    "mcnemar": analysis.MCNEMAR,
    "beliefs": analysis.BELIEFS,
    "weight-gradient": electives.WEIGHT_GRADIENT,
    "adam": electives.ADAM,
    "surprise-of": electives.SURPRISE_OF,
}

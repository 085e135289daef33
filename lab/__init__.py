"""Machinery of the lab that no student edits, in rooms by subject.

    notebooks     the notebooks' own definitions as modules; which training makes a run
    exercises     what the student is asked, the lab's own answers, checks
    analysis      statistics, tables, figures, findings
    experiments   settings, runs, sweeps, results
    models        linear baselines, models that count (the networks stand in the notebooks)
    datasets      reviews, word vectors, token streams
    base          files, machine, language, digests of data and code
    environment   what surrounds the lab: folders, files in its way, limits
    symptoms      what errors of packages and the state of a GPU mean, and what mends them
    config        settings, profiles, folders, every LAB2_* variable

A room imports only from rooms below it; `notebooks` also what the notebooks import, `utils.py`
among it. The contract stands in `.importlinter`.
"""

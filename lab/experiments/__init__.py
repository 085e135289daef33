"""From a list of settings to stored results.

    settings    everything that is chosen about a run, each with its rule
    run         one run: how it is found again, its record, its checkpoint
    loop        the frame of a training: epochs, early stopping, falling learning rate
    run_lists   lists of runs, as data: recipes, tuning, seeds
    sweep       many runs, on cores, a GPU or a cluster; the progress bar
    cluster     Dask, where there is one
    results     result files of the reader's own runs
    reference   the stored results of data/reference

May import `lab.models` and what stands below it.
"""

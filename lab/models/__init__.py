"""Models that the notebooks do not write themselves. The networks stand in the notebooks.

    recurrent   recurrent layers, and how their weights start
    baselines   linear models of a review's words
    ngrams      language models that count

May import `lab.datasets` and what stands below it.
"""

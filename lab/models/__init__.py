"""Models that the notebooks do not write themselves. The lab's networks stand in the notebooks.

    initialization   how the weights of recurrent layers start
    parallel         recurrences that need not be read step by step: scans, minGRU
    attention        causal attention in the place of a recurrent layer
    baselines        linear models of a review's words
    documents        vectors of whole reviews, for a linear model that has read more
    ngrams           language models that count

May import `lab.datasets` and what stands below it.
"""

"""Models that the notebooks do not write themselves. The networks stand in the notebooks.

    initialization   how the weights of recurrent layers start
    baselines        linear models of a review's words
    ngrams           language models that count

May import `lab.datasets` and what stands below it.
"""

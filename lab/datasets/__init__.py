"""Data as they lie on disk, and text as a stream.

    imdb           film reviews: the official folder, or an installed package
    user_file      reviews of the reader's own, in CSV, TSV or JSON
    labels         which of their labels are 0 and which are 1
    chinese        texts without blanks between words: told from others, or cut
    glove          word vectors: a file in the official format, or an installed package
    token_stream   all reviews as one stream of tokens, for language models

Splits, tokens, vocabulary and batches are the lesson's, in `utils.py`. May import `lab.base` and
`lab.config`.
"""

"""What errors of Python's and PyTorch's mean, in words; the grader's wall lets it in, too."""

if __package__:
    from lab.base.messages import _
else:  # behind the grader's wall, where all files lie side by side
    from messages import _

IN_WORDS = {  # a piece of an error of PyTorch's -> what it means here
    "leaf Variable that requires grad": _(
        "Something that learns is changed in place: make something new, or, to change a weight on "
        "purpose, do it inside of torch.no_grad()."
    ),
    "modified by an inplace": _(
        "A tensor is changed in place, as out[t] = h or += do, that the gradient still needs: keep "
        "the steps in a list, and torch.stack them."
    ),
    "is being modified inplace": _(
        "A part of a tensor is changed in place, and no gradient can pass there: make something "
        "new."
    ),
    "does not require grad": _(
        "What does not learn has no gradient: is it an input, or cut off by detach, no_grad, "
        ".data, .item() or torch.tensor?"
    ),
    "numpy() on Tensor that requires grad": _("NumPy keeps no gradient: use PyTorch's functions."),
    "backward through the graph a second time": _(
        "Backward goes through a loss once: is it called twice, or where no gradient was to go?"
    ),
    "'NoneType' object": _(
        "Something is None here: a function without return, the state before the first piece, or "
        ".grad of a tensor without retain_grad()?"
    ),
    "cannot be multiplied": _(
        "The first has to have as many columns as the second rows: is a .T missing, or one too "
        "many?"
    ),
    "must match the size": _(
        "Axes are matched from the last one on, and [:, None] adds one: which shapes meet here, "
        "and did chunk or cat take the axis that you mean?"
    ),
    "doesn't match hidden": _("A step is x[t]: time comes first."),
    "'lengths' argument should be": _(
        "Lengths are a tensor, a number a review: torch.tensor([5])."
    ),
    "must have 2 dimensions, got 1": _(
        "A block has two axes, (T, B): words[:, None] is one column."
    ),
    "Cannot pack empty tensors": _("A review has a word at least."),
    "not match weight dtype": _("Numbers of words are no vectors: model.embedding looks these up."),
    "only one element tensors can be converted": _(
        "Python's math works on one number: take PyTorch's function, such as torch.tanh."
    ),
    "is out of bounds": _("Places are counted from 0, so the last of n is at n - 1."),
    "should be between 0 and 1": _(
        "This loss asks for probabilities: of logits, F.binary_cross_entropy_with_logits is."
    ),
    "tuple": _(
        "A tuple stands where a tensor should: take it apart, as h, c = state or *weights do."
    ),
    "on the same device": _("Make new tensors where the others are, with device=x.device."),
}

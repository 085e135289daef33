"""What helps with an exercise before it is right: hints in steps, an example with numbers.

A hint is shown when it is asked for, and the next one when it is asked for again: what to think
of, the form, nearly the line. An example stands in the student's stub; a test compares it with what
the lab's own version gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Example(NamedTuple):
    """A call with numbers that one can check by hand. Lists stand for tensors.

    call: the call, or in words what is given; result: what comes back; how: by which numbers
    """

    call: str
    result: str
    how: str = ""


HANDED_OUT = {  # function -> code that its stub has in the place of the line that raises
    "train_once": """\
    loss_sum = count = 0
    for batch in batches:
        length = torch.full_like(batch.text_length, len(batch.text))
        logits = model(batch.text, length)
        loss = F.binary_cross_entropy_with_logits(logits, batch.label)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item()
        count += 1
    return loss_sum / count""",
}

HINTS: dict[str, tuple[str, ...]] = {
    "average-vectors": (
        "Think of one review first: which rows of its column are words, and which are padding?",
        "torch.arange(T)[:, None] < text_length is a mask (T, B): True where a word stands.",
        "vectors[text] is (T, B, E), so the mask needs one more axis. Multiply, sum over the "
        "words, and divide each review by its own number of words.",
    ),
    "rnn-cell": (
        "What must x (B, E) be multiplied by to be (B, H)? And h (B, H)?",
        "Reviews are rows: W x becomes x @ w.T. Four things are added, two products and two "
        "biases.",
        "One tanh, around the whole sum. Its first half is x @ w_ih.T + b_ih; the other half has "
        "the same form.",
    ),
    "unroll": (
        "What does the cell need at the second step that it returned at the first?",
        "Loop over x; call the cell; give the new state the name of the old one; keep its h in a "
        "list.",
        "An LSTM's state is a tuple, and its h is state[0]: isinstance(state, tuple) asks. In the "
        "end torch.stack makes one tensor of the list.",
    ),
    "lstm-cell": (
        "All four gates need the same kind of sum, each with other rows of the matrices. Compute "
        "it once, for all four: it has 4H columns, of x and of h.",
        "chunk(4, dim=1) cuts these columns into i, f, g, o. Three of them are gates between 0 and "
        "1; one is a proposal between -1 and 1.",
        "state is a pair: h, c = state. Make the new c first, from f, the old c, i and g; then the "
        "new h from o and the new c. Return both.",
    ),
    "gru-cell": (
        "In the line of n, r stands before a bracket. Is the word in that bracket, or the state?",
        "So keep two blocks of 3H columns apart, x @ w_ih.T + b_ih and the same of h, and cut "
        "each with chunk(3, dim=1).",
        "r and z are sigma of the word's part plus the state's. n is tanh of the word's part plus "
        "r times the state's. And z is the share of the old state.",
    ),
    "weights": (
        "Count one set first: which matrices does it have, and of which shapes? Then the biases.",
    ),
    "last-state": (
        "At which step is the last word of a review of length 3? Steps are counted from 0.",
        "Each column needs another row. So two indices are needed: a step for each review, and "
        "the review itself.",
        "states[rows, columns], with two tensors of length B, takes one state of each column. "
        "torch.arange(B) counts the columns.",
    ),
    "binary-loss": (
        "Put a = 200 and y = 0 into the formula. What is 1 - sigma(200) for a computer?",
        "PyTorch has a function for ln sigma(a) in one step, which never takes the ln of 0. And "
        "1 - sigma(a) is itself a sigma: of what?",
        "F.logsigmoid(a) is ln sigma(a), for large a too; and 1 - sigma(a) is sigma(-a).",
    ),
    "training-step": (
        "What is left in the weights' .grad from the step before? What must be there before a "
        "gradient can be shortened?",
        "Forget the old gradient, compute logits and loss, find the new gradient, shorten it, "
        "step: in this order.",
        "zero_grad() and step() are the optimizer's, backward() is the loss's. Between these two "
        "stands nn.utils.clip_grad_norm_, which takes all weights and clip_norm.",
    ),
    "find-bug": (
        "Read the loop with one batch in mind, then with two. What is there at the second batch "
        "that was not there at the first?",
        "Each batch has three things: text, text_length, label. Is each used for what it is?",
        "A mean over reviews is not a mean over batches, if the batches are of different size.",
    ),
    "choose-rate": ("Which run has the lowest validation loss?",),
    "perplexity": (
        "A model that gives every word p = 1/8 has perplexity 8. What makes 8 of ln(1/8)?",
        "First the mean over all words, then what undoes the logarithm. The other order is wrong.",
        "The exponential of the mean loss; the loss is -ln p.",
    ),
    "piece-loss": (
        "On what does this loss hang? On the words of the piece, on the weights, and on what else?",
        "Cut the state off before the model reads on from it. There are three cases: None, a "
        "tensor, an LSTM's pair.",
        "detach() gives a tensor without its past; of a pair, both parts need it. Then "
        "model.log_probability(text, target, state) gives ln p and the state to return.",
    ),
    "detach": ("Of what has a state been made?",),
    "nucleus": (
        "Put the words in order, the likeliest first. How many do you need to have p together?",
        "sort(descending=True) gives values and places, cumsum adds up. Keep a word if those "
        "before it have less than p.",
        "Those before a word have the cumsum minus its own probability. Divide what is kept by "
        "its sum; zeros_like and scatter bring it back to the words' places.",
    ),
    "sample-words": (
        "What does the model need to predict the second new word that it did not have at first?",
        "next_word wants a text (T, 1): words[:, None]. Afterwards it has read all that, and its "
        "state says so: hand on one new word, of shape (1, 1), and the state.",
        "torch.multinomial(probabilities, 1) draws one number, a tensor (1,); .item() gives it.",
    ),
    "doubt": ("When was a network asked, and when not?",),
    "open-gate": (
        "Which rows of a bias (4H,) are the forget gate's? Section 3.3 says the order.",
        "The blocks of a bias stand in the order i, f, g, o, H rows each. H is layer.hidden_size.",
        "A slice of one bias is changed, rows H to 2H, with += and inside of torch.no_grad().",
    ),
    "chain-rule": (
        "Go back from the loss: how does L change with h2? h2 with what stands in its tanh? That "
        "with w, and with h1?",
        "The slope of tanh is 1 - h ** 2. w stands in both steps: its gradient is a sum of two.",
        "The way to the first step leads through w * h1, and then through the slope at h1.",
    ),
    "gradient-by-step": (
        "PyTorch forgets the gradient of every value on the way. Of which values do you want it?",
        "Ask every state to keep its gradient: retain_grad(). Keep the state itself in a list, "
        "the one that the next step reads.",
        "After backward() from the sum of the last state, each state has a .grad. Its norm() is "
        "one number; torch.stack makes a tensor of them.",
    ),
    "confound": ("What else was the same for all six?",),
    "mcnemar": (
        "Which reviews does the test look at? Count those that only the first has right, and "
        "those that only the second has.",
        "n is both counts together, k the smaller one. One side of a coin comes i times of n with "
        "probability math.comb(n, i) / 2**n.",
        "Add these up for i = 0 to k, k included, and take it twice, but never more than 1. Make "
        "n and k Python's own with int(): 2**n is too large for NumPy's.",
    ),
    "beliefs": (
        "The recurrent layer returns a state after every word. So the model need read only once.",
        "Its layers want a batch: a review of T words is a column, words[:, None]. In order: "
        "model.embedding, model.recurrent, model.linear.",
        "model.recurrent returns two things; take all states, the first. They go through "
        "model.linear and sigma. Take away the axes of length 1: the result is (T,).",
    ),
    "weight-gradient": (
        "The same W_hh is used at every step, so its gradient is a sum. What does one step add?",
        "delta_t is (1 - h_t^2) dL/dh_t, and backward_states gives dL/dh_t. The first step has no "
        "state before.",
        "One review at one step adds delta_t as a column times the state before as a row. Over "
        "all of them this is one product of matrices, (H, N) times (N, H).",
    ),
    "adam": (
        "m is a running mean of the gradients, v one of their squares; both start at 0. What does "
        "that do to them at the first steps?",
        "Update m and v, then correct both for their start at zero: 0.9 and 0.999 to the power of "
        "the step, counted from 1, say by how much.",
        "The update is the corrected m over the root of the corrected v (plus 1e-8). m and v go on "
        "uncorrected.",
    ),
    "surprise-of": (
        "When must the model be asked for a word: before it has read the word, or after?",
        "Read `before` first; then feed each word back after asking for it.",
        "next_word takes a text (T, 1), so one word is torch.tensor([[word]]), and the state that "
        "it gave. Of the ln p that come back, the word's own counts, with a minus.",
    ),
}

EXAMPLES: dict[str, Example] = {
    "average-vectors": Example(
        "average_vectors(text=[[2], [3], [1]], text_length=[2], vectors=[[0], [9], [4], [6]])",
        "[[5.0]]", "(4 + 6) / 2: the third row is padding",
    ),
    "rnn-cell": Example(
        "rnn_cell(x=[[1, 2]], h=[[3]], w_ih=[[0.1, 0.2]], w_hh=[[0.4]], b_ih=[0.1], b_hh=[-0.8])",
        "[[0.7616]]", "tanh(0.1 + 0.4 + 0.1 + 1.2 - 0.8) = tanh(1)",
    ),
    "unroll": Example(
        "unroll(lambda x_t, h, w: w * h + x_t, x=[[[1]], [[1]], [[1]]], state=[[0]], weights=(2,))",
        "[[[1.0]], [[3.0]], [[7.0]]]", "2 * 0 + 1, 2 * 1 + 1, 2 * 3 + 1",
    ),
    "lstm-cell": Example(
        "lstm_cell(x=[[1]], state=([[0]], [[2]]), w_ih=[[0], [0], [1], [0]],\n"
        "          w_hh=[[0], [0], [0], [0]], b_ih=[0, 0, 0, 0], b_hh=[0, 0, 0, 0])",
        "([[0.4406]], [[1.3808]])",
        "c = 0.5 * 2 + 0.5 * tanh(1), h = 0.5 * tanh(c)",
    ),
    "gru-cell": Example(
        "gru_cell(x=[[1]], h=[[2]], w_ih=[[0], [0], [1]], w_hh=[[0], [0], [1]],\n"
        "         b_ih=[0, 0, 0], b_hh=[0, 0, 0])",
        "[[1.4820]]", "n = tanh(1 + 0.5 * 2) = 0.9640; 0.5 * n + 0.5 * 2",
    ),
    "last-state": Example(
        "last_state(states=[[[1], [2]], [[3], [4]], [[5], [6]]], length=[3, 1])",
        "[[5.0], [2.0]]", "the first review has three words, the second one",
    ),
    "binary-loss": Example(
        "binary_loss(logits=[0, 2], labels=[1, 0])", "1.4100", "(ln 2 + ln(1 + e^2)) / 2"
    ),
    "training-step": Example(
        "weights [1, 1], gradient of the loss [3, 4], clip_norm 1, SGD with rate 0.5",
        "[0.7, 0.6]", "the weights afterwards; the gradient, of length 5, becomes [0.6, 0.8]",
    ),
    "find-bug": Example(
        "two batches, losses 1.0 and 0.4, of 2 and 4 reviews", "0.6", "(2 * 1.0 + 4 * 0.4) / 6"
    ),
    "perplexity": Example(
        "perplexity(log_probability=[math.log(1/2), math.log(1/8)])",
        "4.0", "the mean of ln p is ln(1/4)",
    ),
    "piece-loss": Example(
        "ln p of the words [[-1], [-2], [-6]], the model's new state 7", "(3.0, 7)",
        "(1 + 2 + 6) / 3",
    ),
    "nucleus": Example(
        "nucleus(log_probability=[math.log(0.2), math.log(0.5), math.log(0.3)], p=0.7)",
        "[0.0, 0.625, 0.375]", "0.5 / 0.8 and 0.3 / 0.8",
    ),
    "sample-words": Example(
        "a model whose next word is the last one plus 1; words [3], count 2", "[4, 5]",
        "each new word is read before the next is drawn",
    ),
    "open-gate": Example(
        "an LSTM of one unit, bias_ih_l0 [1, 2, 3, 4], amount 10", "[1.0, 12.0, 3.0, 4.0]",
        "the bias afterwards",
    ),
    "chain-rule": Example(
        "chain_rule(w=1, h0=1, x1=-1, x2=0, y=1)", "-1.0", "both h are 0: -1 * (0 + 1 * 1)"
    ),
    "gradient-by-step": Example(
        "gradient_by_step(lambda x_t, h, w: w * h + x_t, x=[[[1]], [[1]], [[1]]], h=[[0]],\n"
        "                 weights=(0.5,))",
        "[0.25, 0.5, 1.0]", "each step on the way back multiplies by 0.5",
    ),
    "mcnemar": Example(
        "mcnemar(first=[True, True, True, False, True], second=[False, False, False, True, True])",
        "0.625", "n = 4, k = 1: 2 * (1 + 4) / 16",
    ),
    "beliefs": Example(
        "logits after each of three words 0, 2, -1", "[0.5, 0.8808, 0.2689]", "sigma of each"
    ),
    "weight-gradient": Example(
        "weight_gradient(h=[[[0.5]], [[0.8]]], w_hh=[[2]], e=[[[0]], [[1]]])",
        "[[0.18]]", "delta of the second step is (1 - 0.64) * 1, the state before is 0.5",
    ),
    "adam": Example(
        "adam_updates([1, -1])", "[1.0, -0.0526]", "m is 0.1, then -0.01, corrected -0.01 / 0.19"
    ),
    "surprise-of": Example(
        "p of the two words, when they are asked for: 0.5 and 0.25", "[0.6931, 1.3863]",
        "ln 2 and ln 4",
    ),
}  # fmt: skip


def example_lines(name: str, say: Callable[[str], str]) -> list[str]:
    """Return an exercise's example as lines. say: puts words into the language of an edition."""
    call, result, how = EXAMPLES[name]
    outcome = f"-> {result}" + (f"  ({say(how)})" if how else "")
    lines = [*say(call).split("\n"), outcome]
    return [say("Example (lists stand for tensors and arrays):"), *(f"  {line}" for line in lines)]

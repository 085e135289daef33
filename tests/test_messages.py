"""Messages: said in a reader's language, compared in English, the same after a way through JSON."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from grading.sandbox.protocol import MOST_SAID, SHOWS, as_data, from_data
from lab.base.messages import Message, _

PARTS = ("{a}", "{b:.2f}", "{c:,}", "{{", "}}", " of ", "文字", "\n", "{a}")
VALUES = st.fixed_dictionaries(
    {"a": st.recursive(st.text(max_size=5), st.lists, max_leaves=4), "c": st.integers(),
     "b": st.floats(0, 9, allow_subnormal=False)}
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=6).map("".join), VALUES, st.text(max_size=9))
def test_a_message_is_the_same_after_a_way_through_json(template, values, alone):
    inner = Message(alone)  # as it stands, whatever braces are in it
    outer = Message(template, **values | {"a": [values["a"], inner]})
    for one in (inner, outer, {"x": [inner, outer, None, 3, "plain"]}):
        back = from_data(json.loads(json.dumps(as_data(one))))
        assert back == one and as_data(back) == as_data(one)
    assert isinstance(from_data(as_data(inner)), Message)


def test_the_forms_of_slots_that_the_lab_uses_may_come_as_data():
    for template in ("{done} of {all}", "{rate:.4g}", "{count:,}", "{word!r} {x:+.1f} {y:.0f}"):
        assert SHOWS.fullmatch(template), template
    assert from_data(as_data(_("{word!r}", word="a"))) == "'a'"


def test_a_message_does_not_grow_with_its_slots():
    data = "x" * 100
    for again in range(20):  # at the end 100 * 50 ** 20 characters, of 4 kB of data
        data = {"message": "{a}" * 50, "values": {"a": data}}
        assert len(from_data(data)) <= MOST_SAID

"""The name of a content."""

from hypothesis import given
from hypothesis import strategies as st

from controller.sources.snapshot import content_revision

contents = st.dictionaries(st.text(max_size=4), st.binary(max_size=4), max_size=3)


@given(contents, contents)
def test_equal_contents_have_one_name_and_others_another(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (content_revision(one) == content_revision(other)) == (one == other)


def test_the_order_of_files_means_nothing() -> None:
    assert content_revision({"a": b"1", "b": b"2"}) == content_revision({"b": b"2", "a": b"1"})


def test_a_file_is_not_confused_with_a_part_of_another() -> None:
    assert content_revision({"a": b"b\x001\x00c"}) != content_revision({"a": b"", "b": b"c"})

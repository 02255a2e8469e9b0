"""Rules between documents: dependencies that exist and form no circle, and all of it in linear work."""

import itertools
from collections import Counter

import pytest

from controller.core import between
from controller.core.diagnostics import Code, Severity
from controller.core.parse import parse
from tests.core.marked import place, spec, unmarked

TASK = "taskDefinition: {containerDefinitions: [{name: a, image: b}]}\n"


def document(name: str, *depends: str, target: str = "") -> str:
    text = f"cluster: c\n{TASK}" + (f"target: {target}\n" if target else "")
    return spec(f"{text}reconcile: {{dependsOn: [{', '.join(depends)}]}}\n").replace("name: bert", f"name: {name}")


def read(*documents: str, **files: str):
    """The workloads' names and the findings of documents in one file, and of further files."""
    content = {"f.yaml": "---\n".join(documents), **{f"{name}.yaml": text for name, text in files.items()}}
    parsed = parse({name: text.encode() for name, text in content.items()})
    return [one.key.name for one in parsed.workloads], parsed.diagnostics


def test_dependencies_that_exist_are_fine():
    names, found = read(document("a", "c/b", "c/z"), document("b"), more=document("z", "c/b", "c/b"))
    assert (names, found) == (["a", "b", "z"], ())


def test_a_dependency_that_nobody_describes():
    text, places = unmarked(f"{document('tokenizer')}---\n{document('a', 'c/tokenizer', '⟦c/tokeniser⟧', '⟦d/zzz⟧')}")
    names, found = read(text)
    assert names == ["tokenizer"]
    assert [place(one) for one in found] == places
    assert [(one.code, one.message, one.hint, one.severity) for one in found] == [
        (
            Code.UNKNOWN_DEPENDENCY,
            "dependsOn names c/tokeniser, but no document describes it",
            "did you mean `c/tokenizer`?",
            Severity.ERROR,
        ),
        (Code.UNKNOWN_DEPENDENCY, "dependsOn names d/zzz, but no document describes it", None, Severity.ERROR),
    ]


def test_what_an_invalid_document_describes_is_described():
    names, found = read(document("a", "c/b"), document("b").replace("cluster:", "cluster: c\n  x:"))
    assert names == ["a"]
    assert [one.code for one in found] == [Code.UNKNOWN_FIELD]


def test_a_dependency_on_a_document_that_may_be_one_that_nobody_can_read_is_a_warning():
    names, found = read(document("a", "c/b"), "- nothing\n")
    assert names == ["a"]
    warning, error = found
    assert (error.code, error.severity) == (Code.WRONG_TYPE, Severity.ERROR)
    assert (warning.code, warning.severity) == (Code.UNKNOWN_DEPENDENCY, Severity.WARNING)
    assert warning.message == (
        "dependsOn names c/b, but no document describes it; it may be one of those that cannot be read"
    )


def test_a_dependency_is_in_the_same_target():
    names, found = read(document("a", "c/b"), document("b", target="prod"), document("x", "c/b", target="prod"))
    assert names == ["b", "x"]
    assert [one.code for one in found] == [Code.UNKNOWN_DEPENDENCY]


def test_who_depends_on_an_invalid_duplicate_stays():
    names, found = read(document("a", "c/b"), document("b"), document("b"))
    assert names == ["a"]
    assert [one.code for one in found] == [Code.DUPLICATE_TARGET] * 2


@pytest.mark.parametrize("count", [3, 6, 7, 40])
def test_many_documents_for_one_service_name_a_few_others(count):
    names, found = read(*[document("a")] * count)
    assert names == []
    assert len(found) == count
    places = [str(one.at) for one in found]
    others = places[1:7]
    rest = f" and {count - 7} more" if count > 7 else ""
    assert found[0].message == f"workload c/a is described {count} times, also at {', '.join(others)}{rest}"


def test_a_circle_is_told_at_every_dependency_that_makes_it():
    text, places = unmarked(
        "---\n".join(
            [
                document("a", "c/d", "⟦c/b⟧"),
                document("b", "⟦c/c⟧"),
                document("c", "⟦c/a⟧", "c/d"),
                document("d"),
                document("e", "c/a"),
                document("self", "⟦c/self⟧"),
            ]
        )
    )
    names, found = read(text)
    assert names == ["d", "e"]
    assert [place(one) for one in found] == places
    assert [one.message.removeprefix("dependsOn goes round in a circle: ") for one in found] == [
        "c/a → c/b → c/c → c/a",
        "c/b → c/c → c/a → c/b",
        "c/c → c/a → c/b → c/c",
        "c/self → c/self",
    ]
    assert {(one.code, one.hint) for one in found} == {(Code.DEPENDENCY_CYCLE, "take one of these dependencies out")}


def test_a_long_circle_is_told_in_short():
    count = 40
    names, found = read(*(document(f"n{one}", f"c/n{(one + 1) % count}") for one in range(count)))
    assert names == []
    assert len(found) == count
    assert found[38].message == (
        "dependsOn goes round in a circle: c/n38 → c/n39 → c/n0 → c/n1 → c/n2 → c/n3 → … → c/n38"
    )


def test_circles_that_share_a_member_leave_none():
    """Without all circles that are told, no circle is left; who only leads into one stays."""
    names, found = read(
        document("hub", "c/a", "c/b"),
        document("a", "c/hub"),
        document("b", "c/hub", "c/x"),
        document("x", "c/y"),
        document("y", "c/x"),
    )
    assert names == ["b"]
    assert Counter(one.code for one in found) == {Code.DEPENDENCY_CYCLE: 4}


@pytest.mark.parametrize("graph", range(64))
def test_every_graph_of_three_loses_its_circles_and_nothing_else(graph):
    edges = [pair for bit, pair in enumerate(itertools.permutations("abc", 2)) if graph >> bit & 1]
    names, found = read(*(document(one, *(f"c/{to}" for start, to in edges if start == one)) for one in "abc"))
    left = {pair for pair in edges if set(pair) <= set(names)}
    assert not circular(left, names), "no circle is left"
    told = {one.message.split(": ")[1].split(" → ")[0].removeprefix("c/") for one in found}
    assert told == set("abc") - set(names)
    assert bool(told) == circular(set(edges), list("abc")), "only where there is a circle somebody goes"
    assert all(any(one in circle for circle in circles(edges)) for one in told), "only members of circles go"


def circles(edges):
    for length in (1, 2, 3):
        for way in itertools.permutations("abc", length):
            if all(pair in edges for pair in zip(way, (*way[1:], way[0]), strict=True)):
                yield set(way)


def circular(edges, names) -> bool:
    return any(set(circle) <= set(names) for circle in circles(edges))


# Work
# ---------------------------------------------------------------------------------------------------------------


def test_names_that_nobody_can_mean_claim_nothing():
    names, found = read(document("a" * 513), document("b"))
    assert names == ["b"]
    assert [one.code for one in found] == [Code.OUT_OF_RANGE]
    for name in ("[x]", "x y"):
        assert read(document("a", target=name), document("b"))[0] == ["b"]


def test_names_are_compared_a_bounded_number_of_times(monkeypatch):
    """Comparing one name with a thousand takes 40 ms; a thousand documents with ten mistakes each took minutes."""
    compared = []
    monkeypatch.setattr(between, "did_you_mean", lambda name, known: compared.append((name, len(known))))
    documents = [document(f"n{one}", *(f"c/x{one}{two}" for two in range(10))) for one in range(200)]
    _, found = read(*documents)
    assert len(found) == 1001
    assert len(compared) == 20
    assert {count for _, count in compared} == {200}
    compared.clear()
    read(*(document(f"n{one}") for one in range(999)), more=document("a", "c/x") + "---\n" + document("z"))
    assert compared == [("c/x", 1000)]


def test_each_dependency_is_followed_once(monkeypatch):
    """A chain with a circle at each of its ends' members, the shape for which a naive walk copies its way each time."""
    followed = Counter()
    original = between._dependency

    def counted(workload, name):
        followed[workload.key.name, name] += 1
        return original(workload, name)

    monkeypatch.setattr(between, "_dependency", counted)
    chain = [document(f"n{one:03}", f"c/n{one + 1:03}") for one in range(100)]
    fan = document("n100", *(f"c/y{one:03}" for one in range(200)))
    loops = [document(f"y{one:03}", f"c/y{one:03}") for one in range(200)]
    names, found = read(*chain, fan, *loops)
    assert len(names) == 101
    assert len(found) == 200
    assert max(followed.values()) <= 3, "to see whether it exists, to walk, and to tell its place"

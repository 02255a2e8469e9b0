"""Files → workloads: text stays text, one bad document stops itself alone, all that is wrong comes out of one run."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.core.diagnostics import MOST_FINDINGS, Code
from controller.core.ecs import read as ecs_read
from controller.core.parse import parse
from controller.core.workload import Key
from controller.core.yaml import MOST_DOCUMENTS
from tests.core.marked import place, spec, unmarked

HEAD = "apiVersion: dl1.ecs/v1alpha1\nkind: DL1Service\n"
TASK = "taskDefinition: {containerDefinitions: [{name: a, image: b}]}\n"


def named(name: str, *, cluster: str = "c", more: str = "") -> str:
    return spec(f"cluster: {cluster}\n{TASK}{more}").replace("name: bert", f"name: {name}")


def one(text: str):
    """The only workload of a text that is valid."""
    parsed = parse({"f.yaml": text.encode()})
    assert parsed.diagnostics == ()
    (workload,) = parsed.workloads
    return workload


def codes(parsed) -> list[tuple[str, str]]:
    return [(str(one.code), str(one.at)) for one in parsed.diagnostics]


# Texts
# ---------------------------------------------------------------------------------------------------------------

TEXTS = {
    "1.10": "1.10",
    "no": "no",
    "on": "on",
    "true": "true",
    "False": "False",
    "1e-3": "1e-3",
    "0o17": "0o17",
    "017": "017",
    "0x1F": "0x1F",
    "1_000": "1_000",
    "1:30": "1:30",
    "+1": "+1",
    ".5": ".5",
    ".inf": ".inf",
    ".nan": ".nan",
    "2026-12-01": "2026-12-01",
    "2026-12-01T17:00:00Z": "2026-12-01T17:00:00Z",
    "=": "=",
    "a:b": "a:b",
    "9" * 5000: "9" * 5000,
    '"null"': "null",
    "'~'": "~",
    '""': "",
    "'it''s'": "it's",
    '"a\\tb\\u00e9"': "a\tbé",
    "é𝄞": "é𝄞",
    "|\n        two\n        lines": "two\nlines\n",
    ">-\n        two\n        lines": "two lines",
    "two\n        lines": "two lines",
}


@pytest.mark.parametrize(("written", "text"), TEXTS.items(), ids=[str(number) for number in range(len(TEXTS))])
def test_a_text_stays_as_it_was_written(written, text):
    def environment(form: str):
        task = f"taskDefinition:\n  containerDefinitions:\n  - name: a\n    image: b\n    {form}\n"
        return one(spec(f"cluster: c\n{task}")).task_definition["containerDefinitions"][0]["environment"]

    wanted = [{"name": "X", "value": text}]
    assert environment(f"environment:\n      X: {written}") == wanted
    assert environment(f"environment:\n    - name: X\n      value: {written}") == wanted


def test_our_own_texts_stay_as_they_were_written_too():
    document = one(
        f"{HEAD}metadata: {{name: 007, labels: {{a: 1.10, b: no, 0o17: 1e-3, d: ''}}}}\n"
        f"spec:\n  cluster: 0x1F\n  target: on\n  {TASK}"
        "  reconcile: {suspend: {reason: 1_000, until: '2026-12-01 17:00:00+01:00'}, dependsOn: []}\n"
    ).document
    assert document.metadata.name == "007"
    assert document.metadata.labels == {"a": "1.10", "b": "no", "0o17": "1e-3", "d": ""}
    assert (document.spec.cluster, document.spec.target) == ("0x1F", "on")
    assert document.spec.reconcile.suspend.reason == "1_000"
    assert document.spec.reconcile.suspend.until.isoformat() == "2026-12-01T17:00:00+01:00"


@pytest.mark.parametrize("kind", ["environment", "secrets"])
def test_a_map_and_a_list_of_variables_are_the_same(kind):
    value = {"environment": "value", "secrets": "valueFrom"}[kind]

    def read_back(form: str):
        task = f"taskDefinition:\n  containerDefinitions:\n  - {{name: a, image: b, {kind}: {form}}}\n"
        return one(spec(f"cluster: c\n{task}")).task_definition["containerDefinitions"][0][kind]

    as_map = read_back("{B: 1.10, A: arn:aws:x, C: ''}")
    assert as_map == read_back(
        f"[{{name: B, {value}: 1.10}}, {{name: A, {value}: arn:aws:x}}, {{{value}: '', name: C}}]"
    )
    assert [member["name"] for member in as_map] == ["B", "A", "C"]
    assert read_back("{}") == read_back("[]") == []


def test_numbers_and_booleans_are_those_of_yaml_1_2():
    task = (
        "taskDefinition:\n  containerDefinitions:\n  - name: a\n    image: b\n    essential: True\n"
        "    privileged: FALSE\n"
        "    cpu: 0o17\n    memory: 0x1F\n    startTimeout: +7\n    stopTimeout: 007\n"
        "    ulimits: [{name: core, softLimit: -1, hardLimit: 0}]\n"
    )
    (container,) = one(spec(f"cluster: c\n{task}")).task_definition["containerDefinitions"]
    del container["name"], container["image"]
    assert container == {
        "essential": True,
        "privileged": False,
        "cpu": 15,
        "memory": 31,
        "startTimeout": 7,
        "stopTimeout": 7,
        "ulimits": [{"name": "core", "softLimit": -1, "hardLimit": 0}],
    }
    canary = "service: {deploymentConfiguration: {canaryConfiguration: {canaryPercent: %s}}}\n"
    for written, number in {"5": 5, "0.5": 0.5, ".5e1": 5.0, "-1.": -1.0}.items():
        service = one(spec(f"cluster: c\n{TASK}{canary % written}")).service
        assert service["deploymentConfiguration"]["canaryConfiguration"]["canaryPercent"] == number


def test_names_have_at_most_255_characters():
    for name, valid in (("n" * 255, True), ("n" * 256, False)):
        text = spec(f"cluster: c\ntaskDefinition: {{family: {name}, containerDefinitions: [{{name: {name}}}]}}\n")
        assert bool(parse({"f.yaml": text.encode()}).workloads) == valid
        assert bool(parse({"f.yaml": named(name).encode()}).workloads) == valid


def test_a_member_without_a_value_is_not_there():
    empty = one(
        f"{HEAD}metadata: {{name: a, labels: }}\nspec:\n  cluster: c\n  target:\n  replicas: ~\n  gaudi: null\n"
        "  taskDefinition:\n    family:\n    cpu: Null\n"
        "    containerDefinitions: [{name: a, environment: , cpu: ~, healthCheck: }]\n"
        "  service: {desiredCount: , tags: NULL}\n  reconcile:\n"
    )
    assert empty.task_definition == {"containerDefinitions": [{"name": "a"}]}
    assert empty.service == {}
    spec_ = empty.document.spec
    assert (spec_.target, spec_.replicas, spec_.gaudi, spec_.reconcile.mode) == (None, None, None, "enforce")
    assert one(spec(f"cluster: c\n{TASK}service:\n")).service == {}


# Places of what is valid
# ---------------------------------------------------------------------------------------------------------------


def test_a_workload_knows_where_it_stands():
    text = f"# nothing\n---\n{named('a')}---\n---\n{named('b', cluster='arn:aws:ecs:us-east-1:123456789012:cluster/d')}"
    parsed = parse({"x/f.yaml": text.encode(), "e.yaml": named("a", more="service: {serviceName: z}\n").encode()})
    assert parsed.diagnostics == ()
    assert parsed.complete
    assert [(str(one.key), one.file, one.index) for one in parsed.workloads] == [
        ("c/z", "e.yaml", 0),
        ("c/a", "x/f.yaml", 0),
        ("d/b", "x/f.yaml", 2),
    ]
    assert str(parsed.workloads[1].origin(("spec", "cluster"))) == "x/f.yaml:7:3"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff", "# é𝄞\n---\n"])
def test_line_ends_and_byte_order_marks_change_no_place(start, end):
    text, places = unmarked(start + spec(f"cluster: c  # 𝄞\n⟦replica⟧: 1\n{TASK}"))
    parsed = parse({"f.yaml": text.replace("\n", end).encode()})
    assert [place(found) for found in parsed.diagnostics] == places


def test_a_target_tells_services_of_one_name_apart():
    parsed = parse(
        {"f.yaml": f"{named('a')}---\n{named('a', more='target: x')}---\n{named('a', more='target: y')}".encode()}
    )
    assert parsed.diagnostics == ()
    assert sorted(one.key for one in parsed.workloads) == [Key("c", "a"), Key("c", "a", "x"), Key("c", "a", "y")]


# What is wrong
# ---------------------------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_comes_out_of_one_run():
    files = {
        "b.yaml": f"{named('a', more='replica: 1')}---\n{named('sound')}---\n{HEAD}---\n- x\n",
        "a.yaml": f"{named('b', more='replicas: x')}---\na: [\n---\n{named('lost')}",
        "c.yaml": "a: \x00",
        "d.yaml": named("sound two"),
    }
    parsed = parse({name: text.encode() for name, text in files.items()})
    assert codes(parsed) == [
        ("wrong-type", "a.yaml:7:13"),
        ("yaml-syntax", "a.yaml:10:1"),
        ("unknown-field", "b.yaml:7:3"),
        ("missing-field", "b.yaml:16:1"),
        ("missing-field", "b.yaml:16:1"),
        ("wrong-type", "b.yaml:19:1"),
        ("yaml-syntax", "c.yaml:1:4"),
        ("bad-value", "d.yaml:3:18"),
    ]
    assert [str(one.key) for one in parsed.workloads] == ["c/sound"]
    assert {str(key) for key in parsed.broken} == {"c/a", "c/b"}
    assert all(found and all(one in parsed.diagnostics for one in found) for found in parsed.broken.values())
    assert parsed.broken_files == {"a.yaml", "b.yaml", "c.yaml", "d.yaml"}
    assert not parsed.complete


def test_mistakes_of_every_layer_come_out_together():
    """Yaml, our models, AWS's model and contradictions: nobody has to run it four times."""
    text, places = unmarked(
        spec(
            """
            cluster: c
            ⟦cluster⟧: d
            ⟦replica⟧: 1
            gaudi: {cards: 4, efa: ⟦1⟧}
            taskDefinition: {⟦famly⟧: x, containerDefinitions: [{name: a, memory: ⟦x⟧}]}
            service: {⟦clientToken⟧: x, ⟦cluster⟧: d}
            """
        )
    )
    found = parse({"f.yaml": text.encode()}).diagnostics
    assert [place(one) for one in found] == places
    assert [str(one.code) for one in found] == [
        *("duplicate-key", "unknown-field", "wrong-type", "unknown-field", "wrong-type"),
        *("contradiction", "contradiction"),
    ]


DUPLICATES = {
    "in one file": {"f.yaml": f"{named('a')}---\n{named('b')}---\n{named('a')}"},
    "in two files": {"f.yaml": f"{named('a')}---\n{named('b')}", "g.yaml": named("a")},
    "one of them invalid": {"f.yaml": f"{named('a', more='replica: 1')}---\n{named('b')}", "g.yaml": named("a")},
    "one of them not YAML as we read it": {
        "f.yaml": f"{named('a', more='replicas: !!int 1')}---\n{named('b')}",
        "g.yaml": named("a"),
    },
    "by the name of the service": {
        "f.yaml": f"{named('x', more='service: {serviceName: a}')}---\n{named('b')}",
        "g.yaml": named("a"),
    },
    "by the ARN of the cluster": {
        "f.yaml": f"{named('a', cluster='arn:aws:ecs:us-east-1:123456789012:cluster/c')}---\n{named('b')}",
        "g.yaml": named("a"),
    },
}


@pytest.mark.parametrize("files", DUPLICATES.values(), ids=DUPLICATES.keys())
def test_two_documents_for_one_service_are_both_invalid(files):
    parsed = parse({name: text.encode() for name, text in files.items()})
    found = [one for one in parsed.diagnostics if one.code is Code.DUPLICATE_TARGET]
    first, second = found
    assert first.message == f"workload c/a is described twice, also at {second.at}"
    assert second.message == f"workload c/a is described twice, also at {first.at}"
    assert first.hint == "keep one of them, or give them different names"
    lines = {name: text.split("\n") for name, text in files.items()}
    for one in found:
        text = lines[one.at.file][one.at.line - 1][one.at.column - 1 :]
        assert (text[:1], one.at.length) == ("a", 1)
    assert [str(one.key) for one in parsed.workloads] == ["c/b"]
    assert {str(key) for key in parsed.broken} == {"c/a"}


def test_a_document_of_another_kind_makes_no_duplicate_but_is_not_forgotten():
    other = named("a").replace("kind: DL1Service", "kind: DL1Batch")
    parsed = parse({"f.yaml": f"{named('a')}---\n{other}---\n{other.replace('name: a}', 'name: gone}')}".encode()})
    assert [str(one.code) for one in parsed.diagnostics] == ["unknown-kind", "unknown-kind"]
    assert [str(one.key) for one in parsed.workloads] == ["c/a"]
    assert {str(key) for key in parsed.broken} == {"c/gone"}


def test_a_document_whose_name_cannot_be_read_breaks_its_file():
    for bad in ("{name: [a]}", "{name: }", "{}", "{name: 'a b'}", "x"):
        parsed = parse({"f.yaml": named("a").replace("{name: a}", bad, 1).encode(), "g.yaml": named("g").encode()})
        assert parsed.broken_files == {"f.yaml"}, bad
        assert [str(one.key) for one in parsed.workloads] == ["c/g"]
    for bad in ("cluster: [c]\n", "cluster: c\n  target: [x]\n", "cluster: c\n  service: {serviceName: {}}\n"):
        assert parse({"f.yaml": named("a").replace("cluster: c\n", bad).encode()}).broken_files == {"f.yaml"}, bad


def test_of_many_mistakes_a_thousand_are_told():
    text = spec(f"cluster: c\n{TASK}" + "".join(f"x{number}: 1\n" for number in range(MOST_FINDINGS + 1)))
    found = parse({"f.yaml": text.encode(), "g.yaml": b"- x"}).diagnostics
    assert len(found) == MOST_FINDINGS + 2
    assert [(one.code, one.at.line) for one in found[MOST_FINDINGS - 1 : -1]] == [
        (Code.UNKNOWN_FIELD, 6 + MOST_FINDINGS),
        (Code.TOO_MANY_FINDINGS, 7 + MOST_FINDINGS),
    ]
    assert (
        found[MOST_FINDINGS].message
        == f"there is more wrong with this file than the {MOST_FINDINGS} findings before this one"
    )
    exactly = text.replace(f"  x{MOST_FINDINGS}: 1\n", "")
    assert len(parse({"f.yaml": exactly.encode()}).diagnostics) == MOST_FINDINGS


def test_of_many_mistakes_as_yaml_a_thousand_are_told_too():
    text = spec(f"cluster: c\n{TASK}") + "  target: x\n" + "  target: y\n" * (MOST_FINDINGS + 1)
    found = parse({"f.yaml": text.encode()}).diagnostics
    assert [one.code for one in found] == [*[Code.DUPLICATE_KEY] * MOST_FINDINGS, Code.TOO_MANY_FINDINGS]


def test_a_pause_ends_at_its_end():
    until = datetime(2026, 12, 1, 17, tzinfo=UTC)
    pause = one(spec(f"cluster: c\n{TASK}reconcile: {{suspend: {{reason: x, until: '{until.isoformat()}'}}}}\n"))
    suspend = pause.document.spec.reconcile.suspend
    assert suspend.active(until - timedelta(microseconds=1))
    assert not suspend.active(until)


def test_a_thousand_documents_are_read_and_one_more_is_not():
    documents = "---\n".join(named(f"n{number}") for number in range(MOST_DOCUMENTS))
    parsed = parse({"f.yaml": documents.encode()})
    assert (len(parsed.workloads), parsed.diagnostics) == (MOST_DOCUMENTS, ())
    (found,) = parse({"f.yaml": f"{documents}---\n{named('more')}".encode()}).diagnostics
    assert (found.code, found.at.line, found.at.column) == (Code.TOO_MANY_DOCUMENTS, MOST_DOCUMENTS * 7, 1)
    assert found.message == "more than 1000 documents in one file"


def test_names_are_guessed_no_longer_than_anybody_is_told(monkeypatch):
    """A guess takes longer than all else: a mebibyte of wrong names took 13 seconds."""
    guesses = []
    monkeypatch.setattr(ecs_read, "closest", lambda name, known: guesses.append(name))
    text = "---\n".join(
        named(f"n{number}", more=f"service: {{{', '.join(f'zz{one}: 1' for one in range(30))}}}")
        for number in range(100)
    )
    found = parse({"f.yaml": text.encode(), "g.yaml": named("g", more="service: {zz: 1}").encode()}).diagnostics
    assert len(found) == MOST_FINDINGS + 2
    assert MOST_FINDINGS < len(guesses) <= MOST_FINDINGS + 31, "to the end of the document in which it was too much"
    assert guesses[-1] == "zz", "each file has its own"
    assert len(parse({"f.yaml": text.encode()}).workloads) == 0, "wrong they are all"

"""The cluster query language: grammar with columns, one spelling, three-valued answers, one meaning."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.placement import (
    MAX_LENGTH,
    And,
    Comparison,
    Expression,
    ExpressionError,
    Facts,
    Mixed,
    Not,
    Op,
    Or,
    canonical,
    conjunction,
    disjunction,
    evaluate,
    meaning,
    parse,
    subjects,
)

DL1 = Facts(
    attributes={
        "ecs.instance-type": "dl1.24xlarge",
        "ecs.os-type": "linux",
        "ecs.availability-zone": "us-east-1b",
        "ecs.capability.execute-command": None,
        "cards": "8",
        "generation": "10",
    },
    agent_connected=True,
    agent_version="1.14.5",
    ec2_instance_id="i-0abc",
    registered_at=1_528_996_148.0,  # 2018-06-14T17:09:08Z
    running_tasks=2,
    task_groups=frozenset({"service:production", "family:job"}),
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("attribute:ecs.instance-type == dl1.24xlarge", True),
        ("attribute:ecs.instance-type equals 'dl1.24xlarge'", True),
        ("attribute:ecs.instance-type!=dl1.24xlarge", False),
        ("attribute:ecs.instance-type =~ dl1.* and attribute:ecs.availability-zone != us-east-1d", True),
        ("attribute:ecs.instance-type =~ g2.*", False),
        ("attribute:ecs.availability-zone in [us-east-1a, us-east-1b]", True),
        ("attribute:ecs.availability-zone not_in [us-east-1a,us-east-1b]", False),
        ("attribute:ecs.capability.execute-command exists", True),
        ("attribute:stack !exists", True),
        ("attribute:stack exists || attribute:ecs.os-type == linux", True),
        ("agentConnected == true && agentVersion < 1.14.6", True),
        ("agentVersion == 1.14.5.0", True),
        ("agentVersion >= 1.15", False),
        ("ec2InstanceId in ['i-0abc', 'i-0def']", True),
        ("registeredAt >= 2018-06-14", True),
        ("registeredAt < 2018-06-14T17:09:08+00:00", False),
        ("registeredAt <= 2018-06-14T17:09:08Z", True),
        ("runningTasksCount == 0", False),
        ("runningTasksCount less_than 3", True),
        ("task:group == service:production", True),
        ("not(task:group == database)", True),
        ("!(task:group == family:job)", False),
        ("attribute:cards > 7", True),
        # a missing attribute equals nothing …
        ("attribute:stack == prod", False),
        ("not (attribute:stack == prod)", True),
    ],
)
def test_answers(text, answer):
    assert evaluate(text, DL1) is answer


@pytest.mark.parametrize(
    "text",
    [
        "attribute:stack != prod",  # … but whether it "differs" is not documented
        "attribute:stack !~ prod",
        "attribute:ecs.instance-type =~ dl1",  # a part, not the whole
        "attribute:ecs.instance-type =~ '(unclosed'",
        "attribute:generation > 9",  # 10 > 9 as numbers, not as text
        "attribute:ecs.capability.execute-command == x and attribute:stack > 3 or attribute:stack > 3",
        "task:group != database or attribute:stack != x and agentConnected == true",
        "task:group != service:production",
    ],
)
def test_unknown_where_aws_does_not_say(text):
    facts = DL1 if "task:group != database" not in text else Facts(attributes={}, agent_connected=True)
    assert evaluate(text, facts) is None


def test_unknown_where_nothing_is_known():
    empty = Facts(attributes={})
    for text in (
        "agentConnected == true",
        "agentVersion > 1",
        "ec2InstanceId == i-1",
        "registeredAt > 2018-01-01",
        "runningTasksCount == 0",
        "task:group == a",
    ):
        assert evaluate(text, empty) is None
        assert evaluate(f"not ({text})", empty) is None


def test_known_decides_over_unknown():
    unknown = "attribute:stack != prod"
    assert evaluate(f"attribute:ecs.os-type == windows and {unknown}", DL1) is False
    assert evaluate(f"attribute:ecs.os-type == linux or {unknown}", DL1) is True
    assert evaluate(f"attribute:ecs.os-type == linux and {unknown}", DL1) is None


def test_mixed_chain_is_known_only_where_both_readings_agree():
    yes, no = "runningTasksCount == 2", "runningTasksCount == 9"
    assert evaluate(f"{yes} or {yes} and {no}", DL1) is None  # yes or (yes and no) / (yes or yes) and no
    assert evaluate(f"{no} or {yes} and {yes}", DL1) is True
    assert evaluate(f"{yes} or ({yes} and {no})", DL1) is True


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("attribute:x", 12),
        ("attribute:x ==", 15),
        ("attribute:x == ,", 16),
        ("colour == red", 1),
        ("attribute: == red", 1),
        ("attribute:x in red", 16),
        ("attribute:x in [red", 20),
        ("attribute:x in [red blue]", 21),
        ("(attribute:x == red", 20),
        ("attribute:x == red)", 19),
        ("attribute:x == red attribute:y == red", 20),
        ("attribute:x == 'red", 16),
        ("agentConnected == maybe", 19),
        ("agentVersion =~ 1.*", 14),
        ("agentVersion > one", 16),
        ("runningTasksCount < -1", 21),
        ("registeredAt > yesterday", 16),
        ("agentConnected exists", 16),
        ("attribute:x == ''", 16),
        ("(((", 4),
        ("(" * 60 + "agentConnected == true" + ")" * 60, 52),
    ],
)
def test_refuses_with_the_column(text, column):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.column == column
    assert f"column {column}" in str(caught.value)


def test_refuses_what_is_too_long():
    with pytest.raises(ExpressionError, match="at most 2000"):
        parse(f"attribute:x == {'y' * MAX_LENGTH}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("attribute:a==b", "  attribute:a   ==   b "),
        ("attribute:a equals b", "attribute:a == 'b'"),
        ("((attribute:a == b))", "attribute:a == b"),
        ("attribute:a == b && attribute:c == d", "(attribute:a == b) and (attribute:c == d)"),
        (
            "(attribute:a == b and attribute:c == d) and agentConnected == true",
            "attribute:a == b and attribute:c == d and agentConnected == true",
        ),
        ("!(agentConnected == true)", "not agentConnected == true"),
        ("attribute:a not_in [x,y]", "attribute:a !in [ x , 'y' ]"),
        ("attribute:a not_exists", "attribute:a !exists"),
    ],
)
def test_one_spelling(one, other):
    assert canonical(one) == canonical(other)


def test_mixed_parentheses_are_never_redundant():
    flat = "attribute:a == b or attribute:c == d and attribute:e == f"
    texts = {
        canonical(flat),
        canonical("attribute:a == b or (attribute:c == d and attribute:e == f)"),
        canonical("(attribute:a == b or attribute:c == d) and attribute:e == f"),
    }
    assert len(texts) == 3
    assert isinstance(parse(flat), Mixed)


def test_subjects():
    text = "not (attribute:a == b) and (task:group == c or attribute:d exists)"
    assert subjects(text) == {"attribute:a", "task:group", "attribute:d"}


names = st.from_regex(r"[A-Za-z0-9_./\-]{1,12}", fullmatch=True)
values = st.text(
    st.characters(codec="utf-8", exclude_characters="'", exclude_categories=["Cs"]), min_size=1, max_size=8
)


@st.composite
def comparisons(draw):
    subject = "attribute:" + draw(names)
    op = draw(st.sampled_from(Op))
    match op:
        case Op.EXISTS | Op.NOT_EXISTS:
            return Comparison(subject, op)
        case Op.IN | Op.NOT_IN:
            return Comparison(subject, op, tuple(draw(st.lists(values, min_size=1, max_size=3))))
        case _:
            return Comparison(subject, op, (draw(values),))


def _inner(children):
    several = st.lists(children, min_size=2, max_size=3)

    @st.composite
    def mixed(draw):
        operands = tuple(draw(st.lists(children, min_size=3, max_size=4)))
        words = ["and", "or", *draw(st.lists(st.sampled_from(["and", "or"]), max_size=len(operands) - 3))]
        words += ["and"] * (len(operands) - 1 - len(words))
        return Mixed(operands, tuple(draw(st.permutations(words))))

    return st.one_of(children.map(Not), several.map(conjunction), several.map(disjunction), mixed())


expressions = st.recursive(comparisons(), _inner, max_leaves=6)


@given(expressions)
def test_round_trip(expression: Expression):
    text = canonical(expression)
    if len(text) <= MAX_LENGTH:
        assert parse(text) == expression
        assert canonical(text) == text


@given(expressions, st.dictionaries(names, st.none() | values))
def test_negation_and_evaluation_never_fail(expression, attributes):
    answer = evaluate(expression, Facts(attributes=attributes))
    assert evaluate(Not(expression), Facts(attributes=attributes)) is (None if answer is None else not answer)


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused(text):
    try:
        tree = parse(text)
    except ExpressionError as error:
        assert 1 <= error.column <= len(text) + 1  # noqa: PT017 - the raise is optional here
    else:
        assert parse(canonical(tree)) == tree


# Meaning -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("attribute:a == b and agentConnected == true", "agentConnected == true and (attribute:a == b)"),
        ("attribute:a == b or attribute:c == d", "attribute:c==d || attribute:a==b"),
        ("attribute:a in [x, y]", "attribute:a in [y,x,'x']"),
        ("not (not attribute:a == b)", "attribute:a == b"),
        ("attribute:a == b and attribute:a == b", "attribute:a == b"),
        ("not (attribute:a == b and attribute:c == d)", "!(attribute:c == d && attribute:a == b)"),
    ],
)
def test_one_meaning(one, other):
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("attribute:a == b", "attribute:a != b"),
        ("attribute:a == b and attribute:c == d", "attribute:a == b or attribute:c == d"),
        (
            "attribute:a == b or attribute:c == d and attribute:e == f",
            "attribute:c == d or attribute:a == b and attribute:e == f",
        ),
        ("attribute:a == x", "attribute:a == X"),
    ],
)
def test_two_meanings(one, other):
    assert meaning(one) != meaning(other)


@given(expressions, st.dictionaries(names, st.none() | values))
def test_what_has_one_meaning_has_one_answer(expression, attributes):
    text = meaning(expression)
    if len(text) <= MAX_LENGTH:
        assert meaning(text) == text
        facts = Facts(attributes=attributes)
        assert evaluate(parse(text), facts) == evaluate(expression, facts)


@given(expressions, st.randoms(use_true_random=False))
def test_the_order_of_operands_is_no_meaning(expression, random):
    def shuffled(one):
        match one:
            case And() | Or():
                operands = [shuffled(operand) for operand in one.operands]
                random.shuffle(operands)
                return replace(one, operands=tuple(operands))
            case Not():
                return Not(shuffled(one.operand))
            case _:
                return one

    assert meaning(shuffled(expression)) == meaning(expression)

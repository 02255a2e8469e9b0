"""Targets as configuration: what is understood, and what is refused in words."""

import pytest
from pydantic import TypeAdapter, ValidationError

from controller.aws.targets import Target, Targets

ROLE = "arn:aws:iam::012345670123:role/path/controller"
PROD = {"name": "prod", "region": "us-west-2", "roleArn": ROLE}


def targets(*found):
    return TypeAdapter(Targets).validate_python(found)


def test_all_members():
    whole = {**PROD, "externalId": "abc", "clusters": ["train"], "account": "012345670123"}
    assert Target.model_validate(whole) == Target(
        name="prod",
        region="us-west-2",
        role_arn=ROLE,
        external_id="abc",
        clusters=("train",),
        account="012345670123",
    )


def test_the_account_is_that_of_the_role_unless_it_is_said():
    assert Target.model_validate(PROD).expected_account == "012345670123"
    assert Target(name="here", region="us-west-2").expected_account is None
    assert Target(name="here", region="us-west-2", account="111122223333").expected_account == "111122223333"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"rolArn": ROLE}, "Extra inputs"),
        ({"name": ""}, "at least 1"),
        ({"name": "a b"}, "pattern"),
        ({"region": "oregon"}, "pattern"),
        ({"roleArn": "controller"}, "pattern"),
        ({"roleArn": "arn:aws:iam::12345:role/x"}, "pattern"),
        ({"account": "12345"}, "pattern"),
        ({"account": "999999999999"}, "the role is of account 012345670123, not 999999999999"),
        ({"roleArn": None, "externalId": "abc"}, "means nothing without a roleArn"),
        ({"externalId": "a"}, "at least 2"),
        ({"clusters": ["a b"]}, "pattern"),
    ],
)
def test_what_makes_no_sense(members, words):
    with pytest.raises(ValidationError, match=words):
        Target.model_validate({**PROD, **members})


def test_targets_that_differ():
    other = {**PROD, "name": "east", "region": "us-east-1"}
    here = {"name": "here", "region": "us-west-2"}
    assert [one.name for one in targets(PROD, other, here)] == ["prod", "east", "here"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({**PROD, "region": "us-east-1"}, "two targets are named prod"),
        ({**PROD, "name": "again"}, "prod and again are one place: us-west-2 of account 012345670123"),
        (
            {"name": "again", "region": "us-west-2", "account": "012345670123"},
            "prod and again are one place: us-west-2 of account 012345670123",
        ),
    ],
)
def test_targets_that_are_one(other, words):
    with pytest.raises(ValidationError, match=words):
        targets(PROD, other)


def test_two_targets_of_our_own_account():
    with pytest.raises(ValidationError, match="the account of the controller's own credentials"):
        targets({"name": "a", "region": "us-west-2"}, {"name": "b", "region": "us-west-2"})

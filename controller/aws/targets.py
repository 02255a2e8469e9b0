"""Where the controller works: accounts and regions by configuration, each under a name that specs can say.

Decides what a target may look like and refuses two that are one place: each would take the other's services for
orphans. Imports no AWS client, so that settings can be read without one. Neighbours: `sessions` (opens them),
`controller.settings` (where people write them), `core.spec` (`target: NAME`).
"""

from typing import Annotated, Final, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from controller.core.spec import CLUSTER, NAME
from controller.core.spec import PATTERNS as SPEC_PATTERNS

REGION: Final = r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$"
ROLE: Final = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}$"
ACCOUNT: Final = r"^[0-9]{12}$"
EXTERNAL_ID: Final = r"^[A-Za-z0-9_+=,.@:/-]*$"
PATTERNS: Final = {
    REGION: "write a region, as us-west-2",
    ROLE: "write the ARN of a role, as arn:aws:iam::123456789012:role/controller",
    ACCOUNT: "write the twelve digits of an account",
    EXTERNAL_ID: "it may hold letters, digits and _ + = , . @ : / - only",
    NAME: f"write {SPEC_PATTERNS[NAME]}".replace("write made", "write a name made"),
    CLUSTER: f"write {SPEC_PATTERNS[CLUSTER]}",
}
"""Pattern → what it asks for, in words."""


class Target(BaseModel):
    """One account and region, and the role to work there with."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=NAME)]
    """What specs say as `target`."""
    region: Annotated[str, Field(pattern=REGION)]
    role_arn: Annotated[str, Field(pattern=ROLE)] | None = None
    """The role to assume. Absent: the controller's own credentials."""
    external_id: Annotated[str, Field(min_length=2, max_length=1224, pattern=EXTERNAL_ID)] | None = None
    """What the trust policy of the role asks for, where it does. Source: STS API, AssumeRole."""
    clusters: tuple[Annotated[str, Field(pattern=CLUSTER)], ...] = ()
    """Clusters that are searched for services without a spec, besides those that the specs name."""
    account: Annotated[str, Field(pattern=ACCOUNT)] | None = None
    """The account that the credentials must be of. Absent: that of the role."""

    @model_validator(mode="after")
    def _one_account(self) -> Self:
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("an externalId means nothing without a roleArn")
        if self.role_arn is not None and self.account not in (None, self.role_arn.split(":")[4]):
            raise ValueError(f"the role is of account {self.role_arn.split(':')[4]}, not {self.account}")
        return self

    @property
    def expected_account(self) -> str | None:
        """The account that it must be, where that is said."""
        return self.role_arn.split(":")[4] if self.role_arn is not None else self.account


def distinct(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets, if each has a name and a place of its own.

    Raises:
        ValueError: two have one name, or are one account and region.
    """
    names: dict[str, Target] = {}
    places: dict[tuple[str | None, str], Target] = {}
    for target in targets:
        if names.setdefault(target.name, target) is not target:
            raise ValueError(f"two targets are named {target.name}")
        place = (target.expected_account, target.region)
        if (other := places.setdefault(place, target)) is not target:
            account = f"account {place[0]}" if place[0] else "the account of the controller's own credentials"
            raise ValueError(f"{other.name} and {target.name} are one place: {target.region} of {account}")
    return targets


Targets: TypeAlias = Annotated[tuple[Target, ...], AfterValidator(distinct)]
"""Targets as a setting."""

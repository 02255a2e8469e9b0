"""What each finding means and what to do about it: the rules as a reader of a report sees them who knows none of them.

One row for every code of a diagnostic and for everything that a pass tells of a workload; a test fails for a code
without a row. Neighbours: `core.diagnostics` (the codes), `findings` (what is found), `sarif` (prints the table).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.core.diagnostics import Code

TO_CREATE: Final = "to-create"
TO_UPDATE: Final = "to-update"
TO_DELETE: Final = "to-delete"
HELD_BACK: Final = "held-back"
NOT_HEALTHY: Final = "not-healthy"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of finding."""

    short: str
    """What is wrong, as a sentence."""
    help: str
    """What to do."""


RULES: Final[Mapping[str, Rule]] = {
    # The file as a file
    Code.UNREADABLE_FILE: Rule(
        "A spec file cannot be read.",
        "Make it a regular file below the source that the controller may read; links may not lead out of it.",
    ),
    Code.FILE_TOO_LARGE: Rule("A spec file is larger than 1 MiB.", "Split it into several files."),
    Code.NOT_UTF8: Rule("A spec file is not UTF-8.", "Save it as UTF-8."),
    Code.TOO_MANY_DOCUMENTS: Rule("A file holds too many documents.", "Split it into several files."),
    Code.TOO_DEEP: Rule("Values are nested too deeply.", "No ECS request is nested like that; look for a slip above."),
    Code.TOO_MANY_NODES: Rule(
        "A file holds too many values, aliases counted at what they stand for.",
        "Split it, or write out what the aliases repeat.",
    ),
    Code.TOO_MANY_FINDINGS: Rule("More is wrong with a file than is told.", "Correct what is told, then look again."),
    # YAML
    Code.YAML_SYNTAX: Rule("The text is no YAML.", "Correct it at the place that is named."),
    Code.DUPLICATE_KEY: Rule(
        "A key stands twice in one mapping.", "Remove one of the two: YAML readers differ in which one they keep."
    ),
    Code.RECURSIVE_ALIAS: Rule("An alias stands for something that it is part of.", "Write the value out."),
    Code.EXPLICIT_TAG: Rule("A value has an explicit YAML tag.", "Remove the tag: the field says what type it is of."),
    Code.BAD_MERGE: Rule("A merge key (`<<`) merges what is no mapping.", "Let it name a mapping or a list of them."),
    Code.BAD_KEY: Rule("A key is no text.", "Write a name."),
    # The document
    Code.UNKNOWN_KIND: Rule("The kind or apiVersion is not known.", "See `controller schema` for the kinds there are."),
    Code.UNKNOWN_FIELD: Rule(
        "A field does not exist.", "See `controller schema`, or take the name that the message proposes."
    ),
    Code.WRONG_TYPE: Rule("A value has the wrong type.", "Write what the message asks for."),
    Code.MISSING_FIELD: Rule("A field that is required is missing.", "Add it."),
    Code.BAD_ENUM: Rule("A value is none of those that are possible.", "Take one that the message names."),
    Code.BAD_VALUE: Rule("A value cannot be used.", "Write it as the message says."),
    Code.OUT_OF_RANGE: Rule("A number is outside of its limits.", "Stay within the limits that the message names."),
    Code.DUPLICATE_ITEM: Rule("Two items of a list have one name.", "Remove or rename one of them."),
    # Across documents
    Code.DUPLICATE_TARGET: Rule(
        "Two documents describe one service.", "Remove one of them: neither is used while both are there."
    ),
    Code.UNKNOWN_DEPENDENCY: Rule(
        "`dependsOn` names a workload that there is not.", "Name one of the source, as cluster/name."
    ),
    Code.DEPENDENCY_CYCLE: Rule("Workloads depend on each other in a circle.", "Take one dependency away."),
    Code.UNKNOWN_TARGET: Rule(
        "A spec names a target that is not configured.", "Correct the name, or add the target to the settings."
    ),
    # The rendered request
    Code.CONTRADICTION: Rule(
        "Two parts of a spec ask for different things.", "Decide for one: what you write wins only where it can work."
    ),
    Code.POLICY: Rule(
        "The request would be refused, could not run, or shows a secret.", "Change the field as the message says."
    ),
    Code.PLACEHOLDER: Rule("A placeholder is left in a spec.", "Put the value there that it stands for."),
    Code.ROLLOUT_CANNOT_START: Rule(
        "A rollout would need room that is not there.",
        "Lower minimumHealthyPercent, so that old tasks make room for new ones.",
    ),
    # A pass
    TO_CREATE: Rule(
        "A workload does not exist yet.", "`controller --once --apply` creates it, and so does the daemon."
    ),
    TO_UPDATE: Rule(
        "A workload is not what its spec asks for.", "`controller --once --apply` changes it, and so does the daemon."
    ),
    TO_DELETE: Rule(
        "A service that we own has no spec any more and is to be deleted.",
        "Put its spec back if it is meant to stay; `onDelete: orphan` lets it live without us.",
    ),
    HELD_BACK: Rule("Something differs and is not written.", "The message says what keeps it back and until when."),
    NOT_HEALTHY: Rule("A workload was not healthy in time.", "See `controller get WORKLOAD` and its ECS events."),
}

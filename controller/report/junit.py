"""Findings as JUnit's XML, for whatever shows tests: a workload is a test that passes where it is valid and in sync.

A spec that is wrong and a workload that differs fail; what went wrong on the way to AWS is an error; warnings about
specs stand in `system-out` and fail nothing. So something fails exactly when the process does not answer 0. There is no
official schema; the tests hold the text against the one that Jenkins reads with. Neighbours: `findings`.
"""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from controller.report.findings import Finding, Kind, Level
from controller.report.text import clean

NOWHERE: Final = "controller"
"""The class of what stands in no file."""


def junit_text(
    found: Sequence[Finding], *, name: str, passed: Iterable[tuple[str | None, str]], prefix: str = ""
) -> str:
    """One suite for each file. `passed` holds the file and the name of everything that nothing is wrong with."""
    suites: defaultdict[str, list[ET.Element]] = defaultdict(list)
    warnings: defaultdict[str, list[str]] = defaultdict(list)

    def placed(file: str | None) -> str:
        return clean(posixpath.join(prefix, file)) if file is not None else NOWHERE

    for file, what in passed:
        where = placed(file)
        suites[where].append(ET.Element("testcase", classname=where, name=clean(what)))
    for one in found:
        where = placed(one.at.file if one.at is not None else None)
        if one.kind is Kind.SPEC and one.level is not Level.ERROR:
            warnings[where].append(f"{_at(one)}{one.level} {one.code}: {' '.join(one.lines)}")
            suites.setdefault(where, [])
        else:
            suites[where].append(_failed(one, where))
    everything = [case for cases in suites.values() for case in cases]
    root = ET.Element("testsuites", {"name": name, **_counts(everything)})
    for where, cases in sorted(suites.items()):
        suite = ET.SubElement(root, "testsuite", {"name": where, **_counts(cases)})
        suite.extend(cases)
        if warnings[where]:
            ET.SubElement(suite, "system-out").text = "\n".join(warnings[where])
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}'


def _failed(one: Finding, where: str) -> ET.Element:
    title = one.about or one.code
    if one.kind is Kind.SPEC and one.at is not None:
        title = f"{one.code} at {one.at.line}:{one.at.column}"
    case = ET.Element("testcase", classname=where, name=title)
    outcome = "error" if one.kind is Kind.RUNTIME else "failure"
    told = ET.SubElement(case, outcome, type=one.code, message=one.lines[0])
    told.text = _at(one) + "\n".join(one.lines)
    return case


def _at(one: Finding) -> str:
    return f"{clean(str(one.at))}: " if one.at is not None else ""


def _counts(cases: Sequence[ET.Element]) -> dict[str, str]:
    failures, errors = (sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error"))
    return {"tests": str(len(cases)), "failures": str(failures), "errors": str(errors)}

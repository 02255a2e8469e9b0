"""Everything that a source revision asks for: files in, rendered workloads and findings out.

The one pure sentence of the house up to the point where the live state comes in: parse → render → policy. A document
that fails anywhere on the way is left out alone; in a daemon its last good version stands in for it, so that one bad
commit neither stops nor deletes anything. Neighbours: `parse`, `render`, `policy`; `app` compares the result with
ECS.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from controller.core.diagnostics import Diagnostic
from controller.core.gaudi.collisions import between
from controller.core.jobs.request import RenderedJob, render_job
from controller.core.jobs.spec import DL1Job
from controller.core.parse import parse
from controller.core.policy import check
from controller.core.prune import SourceHealth
from controller.core.render import Rendered, Settings, render
from controller.core.workload import Key


@dataclass(frozen=True, slots=True)
class Desired:
    """What is wanted, and what is wrong with what was written."""

    rendered: Mapping[Key, Rendered] = field(default_factory=dict)
    """Valid services, last good versions included."""
    jobs: Mapping[Key, RenderedJob] = field(default_factory=dict)
    """Valid jobs, last good versions included."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """Findings of the newest revision, warnings included."""
    invalid: Mapping[Key, tuple[Diagnostic, ...]] = field(default_factory=dict)
    """Keys whose newest document cannot be used, as far as the key can be read, with the reasons."""
    broken_files: frozenset[str] = frozenset()
    """Files of which some document has no readable key."""
    last_good: frozenset[Key] = frozenset()
    """Keys of `rendered` and `jobs` that come from an earlier revision."""
    elsewhere: int = 0
    """Valid workloads of the revision that are for other targets."""

    @property
    def workloads(self) -> Mapping[Key, Rendered | RenderedJob]:
        """Services and jobs, in the order of their keys."""
        both: dict[Key, Rendered | RenderedJob] = {**self.rendered, **self.jobs}
        return {key: both[key] for key in sorted(both)}

    @property
    def health(self) -> SourceHealth:
        """What deletions may rely on. A revision that has nothing for one target is not an empty one."""
        complete = not any(diagnostic.is_error for diagnostic in self.diagnostics)
        return SourceHealth(complete=complete, workloads=self.valid + self.elsewhere)

    @property
    def valid(self) -> int:
        """Workloads that the newest revision describes rightly."""
        return len(self.rendered) + len(self.jobs) - len(self.last_good)

    def digest_of(self, key: Key) -> str | None:
        """The digest of a service's spec, where it has one."""
        rendered = self.rendered.get(key)
        return rendered.digest if rendered is not None else None

    def of(self, target: str | None) -> "Desired":
        """What of it is for one target (None: for the controller's own account and region). What is wrong with the
        revision stays: nobody can tell for which target a broken document was."""
        here = {key: one for key, one in self.rendered.items() if key.target == target}
        jobs = {key: one for key, one in self.jobs.items() if key.target == target}
        mine = replace(
            self,
            rendered=here,
            jobs=jobs,
            invalid={key: found for key, found in self.invalid.items() if key.target == target},
            last_good=self.last_good & (here.keys() | jobs.keys()),
        )
        return replace(mine, elsewhere=self.elsewhere + self.valid - mine.valid)


def desire(files: Mapping[str, bytes], settings: Settings, problems: Iterable[Diagnostic] = ()) -> Desired:
    """What a revision asks for. `problems` are the findings of the source itself (files that could not be read)."""
    parsed = parse(files)
    unreadable = tuple(problems)
    diagnostics = [*unreadable, *parsed.diagnostics]
    rendered: dict[Key, Rendered] = {}
    jobs: dict[Key, RenderedJob] = {}
    invalid: dict[Key, tuple[Diagnostic, ...]] = dict(parsed.broken)
    for workload in parsed.workloads:
        is_job = isinstance(workload.document, DL1Job)
        rendering = render_job(workload, settings) if is_job else render(workload, settings)
        findings = rendering.diagnostics if rendering.rendered is None else check(rendering.rendered, settings)
        diagnostics.extend(findings)
        workload.let_go()
        if rendering.rendered is None or any(finding.is_error for finding in findings):
            invalid[workload.key] = findings
        elif isinstance(rendering.rendered, RenderedJob):
            jobs[workload.key] = rendering.rendered
        else:
            rendered[workload.key] = rendering.rendered
    for key, finding in between(tuple(rendered.values()), port_base=settings.port_base):
        diagnostics.append(finding)
        if finding.is_error:
            rendered.pop(key, None)
            invalid[key] = (*invalid.get(key, ()), finding)
    return Desired(
        rendered=rendered,
        jobs=jobs,
        diagnostics=tuple(sorted(diagnostics, key=lambda diagnostic: diagnostic.at)),
        invalid=invalid,
        broken_files=parsed.broken_files | {problem.at.file for problem in unreadable},
    )


def keep_last_good(before: Desired, after: Desired) -> Desired:
    """The newer revision, with the earlier version of every workload that the newer one names but breaks.

    A document is named by its key or, where that cannot be read, by its file.
    """

    def broken(key: Key, file: str) -> bool:
        named = key in after.rendered or key in after.jobs
        return not named and (key in after.invalid or file in after.broken_files)

    kept = {key: old for key, old in before.rendered.items() if broken(key, old.workload.file)}
    jobs = {key: old for key, old in before.jobs.items() if broken(key, old.workload.file)}
    return replace(
        after,
        rendered={**after.rendered, **kept},
        jobs={**after.jobs, **jobs},
        last_good=frozenset(kept.keys() | jobs.keys()),
    )

"""Jobs: training that runs to completion, as RunTask, on one DL1 or on many at once. PURE, as all of the core.

A job has no object in ECS as a service has, so its identity and its memory are made here:

- `identity`   the name of what would run. `uid_of` digests all that matters (task definition, runTask, nodes, …, for
               a scheduled run its time too); `TaskId(uid, attempt, rank)` is what a task is known by: its `started_by`
               (at most 36 characters) finds it, its `client_token` makes RunTask say the same again. Nothing is
               counted twice, because nothing has a name of its own.
- `record`     `Record`: what is known of one run (attempt, phase, failures, outcome, times), as one tag of the
               job's task definition revision. Finished tasks vanish from ECS after an hour and the journal may be
               lost; this may not. It is written before the first RunTask of an attempt and when its end was seen.
- `request`    `RenderedJob` and `render_job`: spec → RegisterTaskDefinition and the RunTask of each rank.
- `rendezvous` the variables of a gang: MASTER_ADDR, RANK, HCCL_COMM_ID and what SynapseAI's version needs.
- `state`      `JobState`: revisions, records and tasks as they were observed, grouped by run and attempt.
- `verdict`    what became of a task, and of an attempt: succeeded, failed, interrupted, unknown.
- `schedule`   `Cron`: which times a schedule names, in a time zone that is handed in.
- `plan`       `plan_job(job, state, guards) -> Plan`: steps, or holds that say what is waited for and how long.
- `status`     conditions and health of a job, its attempts as they are reported.

Words of a plan (`RunTask`, `StopTask`, `RecordRun`) stand in `core.steps` beside those of services. `reconcile.jobs`
observes and carries out. The law of both kinds holds: after any part of a plan, planning again gives the rest.

What is promised, and tested over generated histories: no two gangs of one run live at once; success is said only where
every essential container of every rank was seen to end with 0; an end that nobody saw is `Unknown`, and is not run
again unless the spec says so.
"""

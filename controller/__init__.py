"""A controller for Amazon ECS that keeps DL1 (Habana Gaudi) workloads in line with declarative specs.

Read it by one sentence: source → parse → render → policy → normalize → diff → plan is pure and prints itself
(`controller --once` stops there); the daemon also executes the plan and reports. `docs/design.md` is the map.
"""

__version__ = "0.1.0"

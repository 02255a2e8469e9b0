"""The composition root: the only place where concrete classes meet, and the two lives of the program.

`once` looks at everything one time (and, if asked, acts); `daemon` goes on. Both walk the same path: source → desired
state → observation → plan; what the dry run prints is what the daemon does.
"""

"""The pure core: same input, same output. No I/O, clock, randomness, concurrency or AWS; import-linter proves it.

Package data (the ECS model, the Gaudi catalogues) is part of the code and may be read.
"""

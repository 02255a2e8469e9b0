"""What it costs: `make bench` runs these and prints a table; `docs/benchmarks.md` holds the numbers and the method."""

"""Measurements: `python -m benchmarks.<part>`, each prints a table, `--json` ends with one line of JSON."""

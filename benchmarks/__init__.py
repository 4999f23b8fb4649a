"""Benchmarks: what the design promises about speed, each figure beside a rival's in the same run. See README.md."""

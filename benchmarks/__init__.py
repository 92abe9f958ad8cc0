"""Measures the hub against peers in the same run: `python -m benchmarks`. Ratios are the point; seconds differ by machine.

The hub is measured from outside, over its public contract; nothing of its code is imported here (`search` writes rows into its tables).
`results.json` keeps the newest figures of each subject with the machine's load when they were taken. A load of more than about 1 makes
seconds worthless, and ratios rough: judge by figures from a quiet machine. `TMPDIR` says which disk is used.
"""

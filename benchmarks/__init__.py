"""Measures the hub against peers in the same run: `python -m benchmarks`. Ratios are the point; seconds differ by machine.

The hub is measured from outside, over its public contract; nothing of its code is imported here.
"""

"""Latencies as counts in buckets: they add up over processes and hours, and give percentiles."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

# Upper ends in seconds, each 1.5 times the one before: a percentile is off by a quarter at most.
BUCKETS = tuple(round(0.005 * 1.5**step, 4) for step in range(30))


def bucket_of(seconds: float) -> int:
    """The bucket of a latency; the last one is for all that took longer."""
    return bisect_left(BUCKETS, seconds)


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The latency in seconds that `share` of all requests did not exceed, worked out within its bucket; None without requests."""
    total = sum(counts.values())
    if total <= 0:
        return None
    wanted, seen = share * total, 0
    for bucket in sorted(counts):
        here = counts[bucket]
        if here and seen + here >= wanted:
            low = BUCKETS[bucket - 1] if bucket else 0.0
            high = BUCKETS[min(bucket, len(BUCKETS) - 1)]
            return low + (high - low) * max(0.0, wanted - seen) / here
        seen += here
    return BUCKETS[-1]

"""Percentiles from buckets are near the real ones."""

from __future__ import annotations

import pytest

from hub_core.metering.latency import BUCKETS, bucket_of, percentile


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_percentile_is_near_the_real_one(share: float) -> None:
    values = [0.02 + 0.003 * number for number in range(1000)]
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket_of(value)] = counts.get(bucket_of(value), 0) + 1
    found, real = percentile(counts, share), values[int(share * len(values)) - 1]
    assert found is not None
    assert abs(found - real) <= 0.25 * real


def test_ends_of_the_scale() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({bucket_of(1e9): 3}, 0.95) == pytest.approx(BUCKETS[-1])
    assert bucket_of(0) == 0

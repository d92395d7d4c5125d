"""Which pool of waiting requests runs next, and which of its requests go together: rules without threads or tensors."""

from __future__ import annotations

from collections.abc import Sequence

LARGEST_PADDED_SHARE = 0.25
"""Of a batch's positions: rather than be padded more, a short request waits for others of its length."""


def next_pool(sizes: Sequence[int], oldest_s: Sequence[float], batch_size: int, max_wait_s: float) -> int | None:
    """Index of the pool to run now, None if all are empty. Pools are those before segment 0, 1, ...

    sizes: requests in each; oldest_s: seconds the oldest of each has waited in it (of an empty one it does not matter)

    The deepest pool that is ready: full, or with a request that has waited `max_wait_s`. Deep ones first, as they hold
    hidden states, and as a deep pool just run is not soon ready again, so that none starves. If none is ready, the
    fullest, the deeper of equals: whoever waits for company while the device idles loses time that never comes back,
    and batches fill by themselves while it works. So `max_wait_s` does not delay anybody when there is nothing else to
    do; it bounds how often fuller pools may go first. Useful values are a few times what one batch takes.
    """
    waiting = [index for index, size in enumerate(sizes) if size]
    ready = [index for index in waiting if sizes[index] >= batch_size or oldest_s[index] >= max_wait_s]
    if ready:
        return ready[-1]
    return max(waiting, key=lambda index: (sizes[index], index), default=None)


def alike(lengths: Sequence[int], batch_size: int) -> list[int]:
    """Places of the first request, which is the oldest, and of those nearest to it in length: at most `batch_size`.

    lengths: tokens, in the order of arrival. From the oldest on, the neighbour in length that needs less padding is
    taken, until the batch is full or more than `LARGEST_PADDED_SHARE` of it would be padding. O(n log n).
    """
    order = sorted(range(len(lengths)), key=lambda place: lengths[place])
    low = high = order.index(0)
    tokens = lengths[0]
    while high - low + 1 < min(batch_size, len(order)):
        count, longest = high - low + 1, lengths[order[high]]
        options = []
        if low > 0:
            options.append((longest - lengths[order[low - 1]], low - 1))
        if high + 1 < len(order):
            options.append((count * (lengths[order[high + 1]] - longest), high + 1))
        _, taken = min(options)
        tokens += lengths[order[taken]]
        positions = (count + 1) * max(longest, lengths[order[taken]])
        if positions - tokens > LARGEST_PADDED_SHARE * positions:
            break
        low, high = min(low, taken), max(high, taken)
    return order[low : high + 1]

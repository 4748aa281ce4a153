"""The blocks between a connection and the engine: bounded, and given back after a burst."""

from __future__ import annotations

import weakref

from stockscan_tui.feed.pipe import KEPT_BLOCKS, Block, Pool


def test_a_burst_leaves_a_few_blocks_behind_and_all_can_be_had_again() -> None:
    pool = Pool(40)
    for _ in range(3):
        taken = [block for _ in range(41) if (block := pool.take()) is not None]
        assert len(taken) == 40
        memory = [weakref.ref(block.data) for block in taken]
        while taken:
            pool.give(taken.pop())
        assert sum(each() is not None for each in memory) == KEPT_BLOCKS


def test_what_reads_a_block_that_was_let_go_still_can() -> None:
    pool = Pool(2 * KEPT_BLOCKS)
    blocks: list[Block | None] = [pool.take() for _ in range(2 * KEPT_BLOCKS)]
    last = blocks[-1]
    assert last is not None
    last.data[:3] = (1, 2, 3)
    part = last.data[:3]
    while blocks:
        block = blocks.pop(0)
        assert block is not None
        pool.give(block)
    del block, last
    assert part.tolist() == [1, 2, 3]

"""Reading and writing at positions, compared with one feature at a time."""

import pytest
import torch

from circuit_widget.transcoder.at_positions import read_at, write_at

ROWS, WIDTH = 50, 6
POSITIONS = {
    "in order": sorted([0, 3, 3, 15, 16, 17, 40, 49, 49]),
    "in no order": [40, 3, 17, 3, 49, 0, 16, 49, 15],
    "one": [33],
    "none": [],
}


@pytest.mark.parametrize("positions_of", POSITIONS.values(), ids=POSITIONS)
def test_features_are_read_and_written_at_their_positions(positions_of: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, ROWS, WIDTH, generator=generator)
    directions = torch.randn(len(positions_of), WIDTH, generator=generator)
    changes = torch.randn(3, len(positions_of), generator=generator)
    positions = torch.tensor(positions_of, dtype=torch.long)
    read, written = read_at(x, positions, directions), x.clone()
    write_at(written, positions, directions, changes)
    expected = x.clone()
    for row in range(3):
        for feature, position in enumerate(positions_of):
            torch.testing.assert_close(read[row, feature], x[row, position] @ directions[feature])
            expected[row, position] += changes[row, feature] * directions[feature]
    assert read.shape == (3, len(positions_of))
    torch.testing.assert_close(written, expected)

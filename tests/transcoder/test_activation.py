"""Activation functions: which features are active, and with which value."""

import torch

from circuit_widget.transcoder.activation import JumpReLU, ReLU, TopK

ROW = torch.tensor([[0.5, 0.6, -1.0, 0.0, 2.0]])


def test_relu_keeps_what_is_above_zero() -> None:
    torch.testing.assert_close(ReLU()(ROW), torch.tensor([[0.5, 0.6, 0.0, 0.0, 2.0]]))


def test_jump_relu_is_strict_and_keeps_the_value() -> None:
    threshold = torch.tensor([0.5, 0.5, -2.0, 0.0, 2.5])
    torch.testing.assert_close(JumpReLU(threshold)(ROW), torch.tensor([[0.0, 0.6, -1.0, 0.0, 0.0]]))


def test_the_activation_of_some_features_uses_their_own_thresholds() -> None:
    activation = JumpReLU(torch.tensor([0.5, 9.0, 0.1]))
    features = torch.tensor([2, 1, 0])
    torch.testing.assert_close(activation.of(torch.tensor([0.2, 5.0, 0.6]), features), torch.tensor([0.2, 0.0, 0.6]))


def test_top_k_keeps_the_largest_of_each_row_even_below_zero() -> None:
    rows = torch.tensor([[3.0, 1.0, 2.0], [-3.0, -1.0, -2.0]])
    torch.testing.assert_close(TopK(2)(rows), torch.tensor([[3.0, 0.0, 2.0], [0.0, -1.0, -2.0]]))


def test_rectified_top_k_drops_what_is_below_zero_among_the_kept() -> None:
    rows = torch.tensor([[3.0, -1.0, -2.0], [-3.0, -1.0, -2.0]])
    torch.testing.assert_close(TopK(2, rectified=True)(rows), torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))


def test_a_jump_relu_is_zero_at_the_threshold_itself() -> None:
    activation = JumpReLU(torch.tensor([1.0, 2.0]))
    at_threshold, above = torch.tensor([[2.0]]), torch.tensor([[2.5]])
    assert activation.of(at_threshold, torch.tensor([1])).tolist() == [[0.0]]
    assert activation.of(above, torch.tensor([1])).tolist() == [[2.5]]
    assert activation(torch.tensor([[1.0, 2.5]])).tolist() == [[0.0, 2.5]]

"""Random shift of training images [DrQ], arXiv:2004.13649."""

import torch

Tensor = torch.Tensor


def random_shift(image: Tensor, shift: Tensor) -> Tensor:
    """Return images moved by whole pixels, the border repeated.

    Args:
        image: uint8 images, shape (B, C, H, W).
        shift: Rows and columns to move by, int64, shape (B, 2).
    """
    batch, _, height, width = image.shape
    device = image.device
    rows = (torch.arange(height, device=device) - shift[:, :1]).clamp(0, height - 1)  # (B, H)
    columns = (torch.arange(width, device=device) - shift[:, 1:]).clamp(0, width - 1)  # (B, W)
    index = torch.arange(batch, device=device)[:, None, None]
    moved = image.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)

"""What several statistics need of numbers themselves: equality up to rounding, order statistics."""

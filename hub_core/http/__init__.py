"""HTTP dialects of the hub: Git, LFS, and what they share (sign-in, errors, metrics)."""

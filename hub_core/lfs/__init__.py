"""Git LFS: pointers, verified objects, links and locks."""

"""Apps of Spaces under the hub's own address: whose pages run with nothing of the visitor's, however hostile they are."""

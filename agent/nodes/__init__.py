"""The nodes of the graph: understand, think, settle, act, finish."""

"""Deployments: models that are served, their revisions, and the reconciler that makes the clusters agree with the database."""

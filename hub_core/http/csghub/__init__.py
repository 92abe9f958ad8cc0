"""The CSGHub dialect: what `csghub-sdk` speaks beside the Hugging Face one, under `/api/v1` and `/csg`."""

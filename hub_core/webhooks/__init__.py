"""Webhooks: what happens to repos, told to addresses that people name, in the shape of the Hugging Face Hub."""

"""The Hugging Face Hub dialect: what `huggingface_hub`, `datasets`, `transformers` and their like speak, under `/` and `/hf`."""

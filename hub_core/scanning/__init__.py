"""Looking through files for secrets that should not be there, and for pickles that run code when they are loaded."""

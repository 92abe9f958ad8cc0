"""What a Space runs with: variables that people can read, and secrets that nobody can."""

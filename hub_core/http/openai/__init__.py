"""OpenAI's dialect: one address for every model that runs here."""

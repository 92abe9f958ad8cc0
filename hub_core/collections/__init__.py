"""Collections: lists of repos with a title, kept by a person or an organisation."""

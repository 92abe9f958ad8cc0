"""Users, organisations and the credentials that stand for people."""

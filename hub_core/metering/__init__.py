"""How much is used: requests and tokens by hour, person and deployment."""

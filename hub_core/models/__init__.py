"""The look inside model repos: headers of weight files and configuration files."""

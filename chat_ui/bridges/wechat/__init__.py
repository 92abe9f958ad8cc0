"""WeChat (微信): an Official Account, which people follow and write to."""

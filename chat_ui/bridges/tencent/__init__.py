"""What WeChat Official Accounts and WeCom share: signatures, encryption, XML, access tokens."""

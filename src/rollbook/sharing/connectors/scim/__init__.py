"""SCIM 2.0 (RFC 7643, 7644): the server at `/scim/v2`, and the client that keeps accounts in other directories."""

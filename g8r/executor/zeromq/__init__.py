"""The socket layer."""

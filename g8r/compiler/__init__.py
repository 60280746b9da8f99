"""The compiler: from a source to a checked task graph."""

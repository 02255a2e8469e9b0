"""Sources of specs: bytes and a revision in, complete or an error, never half a listing."""

"""Many pictures of unknown origin, decoded once and cached."""

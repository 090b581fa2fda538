"""What writing a network as source has in common in every target."""

"""What a network that somebody else trained is to be given of pictures."""

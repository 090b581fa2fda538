"""Files of texts, a line each, whose first word is the label."""

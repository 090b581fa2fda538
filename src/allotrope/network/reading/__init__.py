"""Reading: from hostile files to one clean graph."""

"""What is handed over: a folder that works without Allotrope."""

"""The one way to run something in another process: a worker that is asked, what it serves, and code that nobody vouches for."""

"""The one way to run in another process: a worker that is asked, or code nobody vouches for."""

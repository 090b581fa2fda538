"""Whether frameworks compute the same network: recordings of fresh processes, and the judge."""

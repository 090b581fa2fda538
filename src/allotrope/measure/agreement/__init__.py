"""Whether frameworks compute the same network: recordings made in fresh processes, and the comparer that judges them."""

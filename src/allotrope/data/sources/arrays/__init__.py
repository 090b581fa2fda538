"""Named arrays in .npz and .npy files."""

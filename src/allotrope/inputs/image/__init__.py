"""Pictures: reading them, their values, their augmentation."""

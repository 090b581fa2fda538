"""Volumes: scans of NIfTI and DICOM files on one grid, their values, their augmentation."""

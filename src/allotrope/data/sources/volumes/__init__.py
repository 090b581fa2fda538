"""Folders of NIfTI files and DICOM series."""

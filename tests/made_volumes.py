"""Scans that tests make: a bright ball in noise, as NIfTI files and as DICOM series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

SIDE = 12


def ball(rng: np.random.Generator, bright: bool, shape=(SIDE, SIDE, SIDE)) -> np.ndarray:
    """int16 [d, h, w]: noise around 0 and, if it is bright, a ball of 300 in the middle."""
    places = np.stack(np.meshgrid(*(np.arange(side) for side in shape), indexing="ij"))
    middle = (np.array(shape) - 1) / 2
    inside = (min(shape) / 4) ** 2 > (((places.T - middle) ** 2).sum(-1).T)
    return (rng.normal(0, 30, shape) + 300 * (inside & bright)).astype(np.int16)


def save_nifti(path: Path, values: np.ndarray, spacing=(1.0, 1.0, 1.0), descrip: str = "") -> None:
    """Values [d, h, w] from foot to head, back to front, left to right, so far apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values.transpose(2, 1, 0), np.diag([*spacing[::-1], 1.0]))
    image.header["descrip"] = descrip.encode()
    nibabel.save(image, path)


def save_series(
    folder: Path,
    values: np.ndarray,
    patient: str = "",
    order: np.random.Generator | None = None,
    series: str | None = None,
    **said: object,
) -> list[Path]:
    """The same as DICOM slices [d, h, w] of an axial series, in files of any order.

    `said` are further elements of every header by keyword.
    """
    folder.mkdir(parents=True, exist_ok=True)
    series = series or generate_uid()
    places = np.arange(len(values)) if order is None else order.permutation(len(values))
    paths = []
    for number, place in enumerate(places.tolist()):
        # DICOM counts to the left and to the back, and rows from the front.
        one = _slice(values[place, ::-1, ::-1], float(place), series, number)
        one.PatientID = patient
        for name, value in said.items():
            if value is None:
                delattr(one, name)
            else:
                setattr(one, name, value)
        paths.append(folder / f"slice-{number:03}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def save_frames(
    path: Path,
    values: np.ndarray,
    patient: str = "",
    order: np.random.Generator | None = None,
    places: Sequence[float] | None = None,
    slope: float = 1.0,
) -> Path:
    """The same as one enhanced DICOM file, a frame a slice [d, h, w], in any order.

    `places` are the heights of the slices, by default their numbers.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = np.arange(len(values)) if order is None else order.permutation(len(values))
    turned = values[numbers, ::-1, ::-1]
    whole = _slice(turned[0], 0.0, generate_uid(), 0)
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    whole.PatientID, whole.NumberOfFrames = patient, len(values)
    whole.PixelData = np.ascontiguousarray(turned, "<i2").tobytes()
    shared, measures, orientation, units = (Dataset() for _ in range(4))
    measures.PixelSpacing, measures.SliceThickness = whole.PixelSpacing, whole.SliceThickness
    orientation.ImageOrientationPatient = whole.ImageOrientationPatient
    units.RescaleSlope, units.RescaleIntercept = slope, 0
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    shared.PixelValueTransformationSequence = [units]
    whole.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for number in numbers.tolist():
        frame, position = Dataset(), Dataset()
        height = float(number if places is None else places[number])
        position.ImagePositionPatient = [0, 0, height]
        frame.PlanePositionSequence = [position]
        frames.append(frame)
    whole.PerFrameFunctionalGroupsSequence = frames
    for name in ("PixelSpacing", "SliceThickness", "ImagePositionPatient"):
        delattr(whole, name)
    for name in ("ImageOrientationPatient", "RescaleSlope", "RescaleIntercept"):
        delattr(whole, name)
    whole.save_as(path, enforce_file_format=True)
    return path


def _slice(pixels: np.ndarray, height: float, series: str, number: int) -> Dataset:
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = CTImageStorage
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = generate_uid()
    one.SOPClassUID, one.SeriesInstanceUID, one.Modality = CTImageStorage, series, "CT"
    one.InstanceNumber, one.SamplesPerPixel = number + 1, 1
    one.PhotometricInterpretation = "MONOCHROME2"
    one.Rows, one.Columns = pixels.shape
    one.PixelSpacing, one.SliceThickness = [1, 1], 1
    one.ImageOrientationPatient, one.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, height]
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelRepresentation = 15, 1
    one.RescaleSlope, one.RescaleIntercept = 1, 0
    one.PixelData = np.ascontiguousarray(pixels, "<i2").tobytes()
    return one

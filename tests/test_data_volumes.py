"""Folders of NIfTI files and DICOM series: what is read of them, and what is refused."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from pydicom.uid import JPEGLSLossless

import allotrope
from allotrope.data.sources.volumes.volume_folders import holds_scans
from allotrope.errors import DataError, UsageError
from allotrope.inputs.volume.dicom import ordered, read_series, read_slices
from allotrope.inputs.volume.nifti import medical_package, read_nifti
from allotrope.inputs.volume.scan_grid import UnreadableVolume
from allotrope.inputs.volume.volume_files import read_scan
from made_volumes import ball, save_frames, save_nifti, save_series
from read_sources import notes

RANDOM = np.random.default_rng(2)
VALUES = RANDOM.integers(-1000, 1000, (4, 5, 6)).astype(np.int16)


def folder_of_classes(folder, count=6, **said):
    """As many NIfTI files of one class and DICOM series of another."""
    for number in range(count):
        save_nifti(folder / "ill" / f"{number}.nii.gz", ball(RANDOM, True))
        save_series(folder / "well" / f"{number}", ball(RANDOM, False), **said)
    return folder


# --- what is read


def test_nifti_and_dicom_give_the_same_scan(tmp_path):
    save_nifti(tmp_path / "a.nii.gz", VALUES)
    save_nifti(tmp_path / "a.nii", VALUES)
    save_series(tmp_path / "a", VALUES, order=RANDOM)
    for path in (tmp_path / "a.nii.gz", tmp_path / "a.nii", tmp_path / "a"):
        scan = read_scan(path)
        assert np.array_equal(scan.values, VALUES) and scan.spacing == (1, 1, 1)


def test_orientation_and_spacing_are_those_of_space(tmp_path):
    import nibabel

    affine = np.array([[0, 0, -3.0, 9], [2, 0, 0, 1], [0, -1, 0, 5], [0, 0, 0, 1]])
    path = tmp_path / "turned.nii"
    nibabel.save(nibabel.Nifti1Image(VALUES, affine), path)
    scan = read_nifti(path)
    assert scan.spacing == (1, 2, 3)
    # Columns of the array run down, its rows to the front, its slices to the left.
    assert np.array_equal(scan.values, VALUES.transpose(1, 0, 2)[::-1, :, ::-1])


def test_slope_intercept_and_negatives(tmp_path):
    save_series(tmp_path / "a", VALUES, RescaleSlope=2, RescaleIntercept=-1024)
    assert np.array_equal(read_scan(tmp_path / "a").values, 2.0 * VALUES - 1024)
    save_series(tmp_path / "b", VALUES, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read_scan(tmp_path / "b").values, -1.0 - VALUES)
    bits = abs(VALUES)
    save_series(
        tmp_path / "c", bits, PhotometricInterpretation="MONOCHROME1", PixelRepresentation=0
    )
    assert np.array_equal(read_scan(tmp_path / "c").values, 65535.0 - bits)


def test_a_folder_becomes_volumes_on_one_grid(tmp_path):
    for number in range(5):
        save_nifti(
            tmp_path / "ill" / f"{number}.nii.gz", ball(RANDOM, True, (8, 16, 16)), (2, 1, 1)
        )
        save_nifti(tmp_path / "well" / f"{number}.nii", ball(RANDOM, False))
    data = allotrope.read(tmp_path)
    (scan,) = data.inputs
    assert (scan.shape, scan.spacing) == ((16, 16, 16), (1, 1, 1))
    assert data.train["volume"].dtype == np.float32
    assert "2 shapes, spacings from 1 to 2 mm; --image-size" in str(data)
    small = allotrope.read(tmp_path, image_size=8, value_range="-100:300")
    assert small.inputs[0].shape == (8, 8, 8) and small.inputs[0].spacing == (2, 2, 2)
    assert small.inputs[0].window == (-100, 300)
    assert small.train.origin[0].startswith("volume ")


def test_what_is_left_out_is_said_without_a_name(tmp_path):
    folder = folder_of_classes(tmp_path / "scans", count=4)
    assert "left out" not in notes(allotrope.read(folder))
    for name in ("Smith.hdr", "Smith.img", "Jones.img", "notes"):
        (folder / "ill" / name).write_bytes(bytes(348))
    said = notes(allotrope.read(folder))
    assert "left out: 4 files that are no volumes (.img 2, .hdr 1, no suffix 1)" in said
    assert "Smith" not in said
    parted = tmp_path / "parted"
    folder_of_classes(parted / "train", count=4)
    save_nifti(parted / "unlabelled" / "Smith.nii", ball(RANDOM, True))
    save_series(parted / "unlabelled" / "Jones", ball(RANDOM, True))
    said = notes(allotrope.read(parted))
    assert "left out: 2 volumes without a label" in said and "Jones" not in said


def test_the_window_of_all_headers_is_taken(tmp_path):
    for name in ("a", "b"):
        for number in range(3):
            said = {"WindowCenter": 40, "WindowWidth": 400}
            save_series(tmp_path / name / f"{number}", VALUES + number, **said)
    data = allotrope.read(tmp_path)
    assert data.inputs[0].window == (-160, 240)
    assert "the window of every header" in str(data)
    save_series(tmp_path / "a" / "3", VALUES + 3, WindowCenter=50, WindowWidth=400)
    assert "but for strays far out" in str(allotrope.read(tmp_path))


def test_series_may_lie_right_in_a_class_folder(tmp_path):
    for label in "ab":
        for number in range(4):
            paths = save_series(tmp_path / label, VALUES + number, patient=f"{label}{number}")
            for path in paths:
                path.rename(path.with_name(f"{number}-{path.name}"))
    data = allotrope.read(tmp_path)
    counts = {split: len(examples) for split, examples in data.splits.items()}
    assert counts == {"train": 4, "validation": 2, "test": 2}
    assert data.inputs[0].shape == VALUES.shape
    (path, *_) = (tmp_path / "a").iterdir()
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"slices are missing|no DICOM slice"):
        allotrope.read(tmp_path)


def test_single_slices_need_no_place(tmp_path):
    nothing = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None}
    for label in "ab":
        for number in range(3):
            one = VALUES[:1] + number
            save_series(tmp_path / label / f"{number}", one, ImagerPixelSpacing=[0.5, 2], **nothing)
    data = allotrope.read(tmp_path)
    assert data.inputs[0].shape == (1, 5, 6) and data.inputs[0].spacing[1:] == (0.5, 2)
    assert "6 volumes of a single slice do not say where it lies" in str(data)
    assert read_scan(tmp_path / "a" / "0" / "slice-000.dcm").values.shape == (1, 5, 6)


def test_values_that_are_no_numbers_become_the_lowest(tmp_path):
    values = VALUES.astype(np.float32)
    values[0, 0, 0] = np.nan
    save_nifti(tmp_path / "a.nii", values)
    scan = read_scan(tmp_path / "a.nii")
    assert scan.strange == 1 and scan.values[0, 0, 0] == np.nanmin(values)


# --- patients


def test_no_patient_is_in_two_splits(tmp_path):
    patients = RANDOM.integers(0, 12, 40)
    for number, patient in enumerate(patients):
        label = "ab"[patient % 2]
        save_series(tmp_path / label / f"{number:02}", VALUES + number, patient=f"P{patient}")
    data = allotrope.read(tmp_path)
    of_value = {float(VALUES[0, 0, 0] + n): patient for n, patient in enumerate(patients)}
    splits = [
        {of_value[float(x[0, 0, 0])] for x in part["volume"]} for part in data.splits.values()
    ]
    assert sum(map(len, splits)) == len(set.union(*splits)) == len(set(patients))
    assert all(len(set(part["label"])) == 2 for part in data.splits.values())
    assert f"{len(set(patients))} patients by PatientID" in str(data)


@pytest.mark.parametrize("seed", range(5))
def test_folders_and_subjects_are_patients_if_headers_say_none(tmp_path, seed):
    for subject in range(6):
        for visit in range(3):
            name = f"{subject}-{visit}"
            save_nifti(tmp_path / "a" / f"patient {subject}" / f"{name}.nii", VALUES + subject)
            name = (f"sub-{subject}_{visit}", f"Case_{subject}-{visit}")[seed % 2]
            save_nifti(tmp_path / "b" / f"{name}.nii", VALUES + 50 + subject)
    data = allotrope.read(tmp_path, seed=seed)
    splits = [{float(x[0, 0, 0]) for x in part["volume"]} for part in data.splits.values()]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 12
    assert "12 patients by folders and files" in str(data)


def test_patients_that_the_source_has_in_two_splits_are_refused(tmp_path):
    for split in ("train", "test"):
        for label in "ab":
            for number in range(2):
                place = tmp_path / split / label / f"{number}"
                save_series(place, VALUES, patient=f"{label}{number if label == 'a' else split}")
    with pytest.raises(DataError, match="2 are in test and in train"):
        allotrope.read(tmp_path)


def test_too_few_patients_are_refused(tmp_path):
    for label in "ab":
        for number in range(4):
            save_series(tmp_path / label / f"{number}", VALUES, patient=f"{label}{number % 2}")
    with pytest.raises(DataError, match="too few patients have 'a', 'b'"):
        allotrope.read(tmp_path)


# --- what is refused


def bomb(shape, kind=4, offset=352):
    """A packed NIfTI file whose header says so many voxels, and that unpacks to a lot of zeros."""
    header = bytearray(348)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<hh", header, 70, kind, 16)
    struct.pack_into("<8f", header, 76, *[1.0] * 8)
    struct.pack_into("<f", header, 108, offset)
    header[344:348] = b"n+1\0"
    # With a time in it every process would collect tests of other names.
    return gzip.compress(bytes(header) + bytes(4) + bytes(1_000_000), mtime=0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bomb((32767, 32767, 32767)), "32767 x 32767 x 32767 voxels; expected 1 to 268,435,456"),
        (bomb((0, 3, 3)), "expected 1 to"),
        (bomb((4, 4, 4, 7)), "has 4 axes .4, 4, 4, 7.; expected three"),
        (bomb((4, 4), kind=4), "has 2 axes"),
        (bomb((4, 4, 4), kind=128), "expected single real numbers"),
        (bomb((4, 4, 4), kind=999), "header is wrong"),
        (bomb((4, 4, 4), offset=2e9), "voxels begin at byte"),
        (bomb((200, 200, 200)), "is cut short: its header says 16,000,000 bytes of voxels"),
        (bomb((4, 4, 4))[:30], "cannot be unpacked, it may be cut short"),
        (b"", "no NIfTI file"),
        (b"\x89PNG" + bytes(600), "no NIfTI file"),
        ((348).to_bytes(4, "little") + bytes(20), "cut short within its header"),
    ],
)
def test_files_that_are_no_sound_volumes_are_refused(tmp_path, content, words):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(content)
    with pytest.raises(UnreadableVolume, match=words):
        read_nifti(path)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"PixelData": None}, "holds no pixels, only a header"),
        ({"Rows": None}, "a file holds no pixels"),
        ({"NumberOfFrames": 7}, "several frames"),
        ({"SamplesPerPixel": 3}, "in colour"),
        (
            {"ImagePositionPatient": None, "PixelSpacing": None},
            "do not say ImagePositionPatient, PixelSpacing",
        ),
        ({"Rows": 3}, "60 bytes of pixels, its header says 36"),
        ({"PixelSpacing": [0, 0]}, "mm apart, expected above 0"),
    ],
)
def test_slices_that_are_no_sound_slices_are_refused(tmp_path, said, words):
    save_series(tmp_path / "a", VALUES, **said)
    with pytest.raises(UnreadableVolume, match=words):
        read_scan(tmp_path / "a")


def test_missing_double_and_mixed_slices_are_told(tmp_path):
    paths = save_series(tmp_path / "gap", np.repeat(VALUES, 3, axis=0))
    paths[5].unlink(), paths[6].unlink()
    with pytest.raises(UnreadableVolume, match="about 2 slices are missing between the 10 there"):
        read_scan(tmp_path / "gap")
    save_series(tmp_path / "twice", VALUES, series="1.2")
    slices = [read_slices(path)[0] for path in sorted((tmp_path / "twice").iterdir())]
    with pytest.raises(UnreadableVolume, match="1 of its 5 slices lie where another one does"):
        ordered([*slices, slices[2]])
    other = [read_slices(path)[0] for path in save_series(tmp_path / "other", VALUES)]
    with pytest.raises(UnreadableVolume, match="2 series are mixed, of 4, 4 slices"):
        ordered([*slices, *other])
    larger = save_series(tmp_path / "larger", np.tile(VALUES, (1, 2, 1)), series="1.2")
    with pytest.raises(UnreadableVolume, match="different numbers of rows"):
        ordered([*slices, *(read_slices(path)[0] for path in larger)])
    assert read_series(ordered(slices[::-1])).values.shape == VALUES.shape


def test_pixels_that_nothing_decodes_name_the_package(tmp_path):
    import pydicom

    for path in save_series(tmp_path / "a", VALUES):
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = JPEGLSLossless
        data.PixelData = pydicom.encaps.encapsulate([bytes(64)])
        data["PixelData"].VR = "OB"
        data.save_as(path)
    with pytest.raises(UnreadableVolume, match=r"compressed as JPEG-LS Lossless.*pylibjpeg"):
        read_scan(tmp_path / "a")
    with pytest.raises(UnreadableVolume, match="is not installed: pip install no_such_package"):
        medical_package("no_such_package")


def test_everything_that_is_wrong_is_in_one_message(tmp_path):
    folder_of_classes(tmp_path, 3)
    for name in ("x", "y"):
        (tmp_path / "ill" / f"{name}.nii").write_bytes(b"nothing")
    save_series(tmp_path / "well" / "z", VALUES, BurnedInAnnotation="YES")
    with pytest.raises(DataError) as caught:
        allotrope.read(tmp_path)
    message = str(caught.value)
    assert "3 of 9 volumes cannot be read" in message
    assert "ill/x.nii, ill/y.nii: its content is no NIfTI file" in message
    assert "well/z: text is written on its pixels" in message


def test_a_broken_header_is_not_quoted(tmp_path):
    (path, *_) = save_series(tmp_path / "a", VALUES[:1], patient="SECRET^NAME")
    content = path.read_bytes()
    place = content.index(b"\x20\x00\x37\x00DS") + 8
    size = int.from_bytes(content[place - 2 : place], "little")
    broken = b"SECRET^NAME".ljust(size)
    path.write_bytes(content[:place] + broken + content[place + size :])
    with pytest.raises(UnreadableVolume) as caught:
        read_scan(tmp_path / "a")
    assert "SECRET" not in str(caught.value)


def test_folders_that_say_no_class_are_refused(tmp_path):
    save_series(tmp_path / "well", VALUES)
    save_nifti(tmp_path / "loose.nii", VALUES)
    with pytest.raises(DataError, match=r"volumes lie in no class folder: .*loose\.nii"):
        allotrope.read(tmp_path)
    other = folder_of_classes(tmp_path / "other")
    with pytest.raises(UsageError, match="--target: there is no column 'age'"):
        allotrope.read(other, target="age")
    with pytest.raises(UsageError, match="image size 0"):
        allotrope.read(other, image_size=0)
    assert holds_scans(other) and not holds_scans(tmp_path / "nothing")


# --- values without an absolute scale


def test_scans_of_mri_are_normalized_each_and_others_if_asked(tmp_path):
    for label in "ab":
        for number in range(4):
            save_series(tmp_path / "mr" / label / f"{number}", VALUES, Modality="MR")
            save_nifti(tmp_path / "nii" / label / f"{number}.nii", VALUES + 1)
    data = allotrope.read(tmp_path / "mr")
    assert data.inputs[0].relative and "because headers say MR" in notes(data)
    data = allotrope.read(tmp_path / "mr", scan_values="absolute")
    assert not data.inputs[0].relative
    assert not allotrope.read(tmp_path / "mr", value_range=(0, 9)).inputs[0].relative
    data = allotrope.read(tmp_path / "nii")
    assert not data.inputs[0].relative and "--scan-values relative" not in notes(data)
    assert allotrope.read(tmp_path / "nii", scan_values="relative").inputs[0].relative
    with pytest.raises(UsageError, match="--value-range and --scan-values relative"):
        allotrope.read(tmp_path / "nii", scan_values="relative", value_range=(0, 9))


def test_scans_whose_scales_seem_to_differ_are_pointed_out(tmp_path):
    for label in "ab":
        for number in range(5):
            values = np.abs(VALUES) * (1 + 9 * (number % 2))
            save_nifti(tmp_path / label / f"{number}.nii", values)
    said = notes(allotrope.read(tmp_path))
    assert "the brightest values of scans differ by a factor of" in said
    assert "factor" not in notes(allotrope.read(tmp_path, scan_values="absolute"))


# --- several frames a file


def test_frames_of_a_file_are_slices_in_any_order(tmp_path):
    path = save_frames(tmp_path / "a.dcm", VALUES, order=RANDOM)
    scan = read_scan(path)
    assert np.array_equal(scan.values, VALUES) and scan.spacing == (1, 1, 1)
    wide = read_scan(save_frames(tmp_path / "b.dcm", VALUES, places=[0, 3, 6, 9], slope=0.5))
    assert np.array_equal(wide.values, VALUES * 0.5) and wide.spacing == (3, 1, 1)
    for label in "ab":
        for number in range(4):
            save_frames(tmp_path / "set" / label / f"{number}.dcm", VALUES, f"{label}{number}")
    data = allotrope.read(tmp_path / "set")
    assert sum(map(len, data.splits.values())) == 8 and data.inputs[0].shape == (4, 5, 6)
    assert "8 patients by PatientID" in notes(data)


def test_frames_without_places_or_with_too_many_are_told(tmp_path):
    path = save_frames(tmp_path / "twice.dcm", VALUES, places=[0, 1, 1, 2])
    with pytest.raises(UnreadableVolume, match="1 of its 4 slices lie where another one does"):
        read_scan(path)
    with pytest.raises(UnreadableVolume, match="about 6 slices are missing"):
        read_scan(save_frames(tmp_path / "gap.dcm", VALUES, places=[0, 1, 2, 9]))
    (film,) = save_series(tmp_path / "film", VALUES[:1], NumberOfFrames=30)
    with pytest.raises(UnreadableVolume, match="several frames, 30, and does not say where each"):
        read_scan(film)
    (bomb_,) = save_series(tmp_path / "bomb", VALUES[:1], NumberOfFrames=2**30)
    with pytest.raises(UnreadableVolume, match="1073741824 x 5 x 6 voxels; expected 1 to"):
        read_scan(bomb_)

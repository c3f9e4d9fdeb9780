"""A small CT series in DICOM files, made here."""

import numpy as np
import pydicom
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

STUDY, SERIES, FRAME = generate_uid(), generate_uid(), generate_uid()
HOUNSFIELD = np.random.default_rng(0).integers(-1000, 1000, (6, 8, 10)).astype(np.int16)


def write_slice(folder, number, values, position, **changes):
    """One CT slice; the files' names are in no order along the normal."""
    one = pydicom.Dataset()
    one.file_meta = pydicom.dataset.FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = CTImageStorage
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = STUDY, SERIES, FRAME
    one.PatientID, one.PatientName, one.Modality, one.InstanceNumber = "1", "A^B", "CT", number
    one.PatientBirthDate = one.PatientSex = one.StudyID = one.AccessionNumber = one.ReferringPhysicianName = ""
    one.StudyDate, one.StudyTime, one.SeriesNumber, one.PositionReferenceIndicator = "20200101", "120000", 1, ""
    one.ImageOrientationPatient, one.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [float(part) for part in position]
    one.PixelSpacing, one.SliceThickness = [0.7, 0.8], 2
    one.Rows, one.Columns = values.shape
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
    one.RescaleIntercept, one.RescaleSlope = -1024, 1
    one.PixelData = (values + 1024).astype("<u2").tobytes()
    for name, value in changes.items():
        setattr(one, name, value)
    folder.mkdir(exist_ok=True)
    one.save_as(folder / f"{(7 * number) % 11:02d}.dcm", enforce_file_format=True)


def write_series(folder, places=range(6), shift=(0.0, 0.0), **changes):
    for number, place in enumerate(places):
        position = (-30 + shift[0] * number, 5 + shift[1] * number, 100 + 2.5 * place)
        write_slice(folder, number, HOUNSFIELD[number], position, **changes)
    return folder

"""Tests of images.

- `image_golden_test`: the dump of an image equals a checked-in text.
- `bootcheck_test`: a disk starts in a virtual machine and its console says what it should.
"""

load("//bzl/private:bootcheck_test.bzl", _bootcheck_test = "bootcheck_test")
load("//bzl/private:image_golden_test.bzl", _image_golden_test = "image_golden_test")

bootcheck_test = _bootcheck_test
image_golden_test = _image_golden_test

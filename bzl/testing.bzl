"""Tests of images.

- `image_golden_test`: the dump of an image equals a checked-in text.
"""

load("//bzl/private:image_golden_test.bzl", _image_golden_test = "image_golden_test")

image_golden_test = _image_golden_test

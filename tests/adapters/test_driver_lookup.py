"""Vendors are found by their file names."""

import pytest

from nas_drivers.driver import UnknownVendorError, driver_for, vendor_names


def test_an_unknown_vendor_is_refused_by_name():
    with pytest.raises(UnknownVendorError, match="no driver for vendor 'abacus'"):
        driver_for("abacus")


def test_every_vendor_file_holds_a_driver_of_its_own_name():
    assert [driver_for(name).vendor for name in vendor_names()] == list(vendor_names())

"""PaN Commons: an open-science commons for photon and neutron facilities."""

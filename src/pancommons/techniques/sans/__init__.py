"""Small-angle neutron scattering by time of flight: from ISIS LOQ's runs to I(Q), as functions and as a pipeline."""

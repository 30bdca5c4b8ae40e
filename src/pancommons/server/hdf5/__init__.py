"""Looking inside HDF5 files through the protocol of h5grove, by processes that can do nothing else."""

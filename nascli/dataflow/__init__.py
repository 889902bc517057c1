"""Component kind `dataflow`: data sets, and how their images become batches on the device."""

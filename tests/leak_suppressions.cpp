// Read by LeakSanitizer: HDF5 1.10 leaks a little where it refuses a damaged file.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5\n"; }

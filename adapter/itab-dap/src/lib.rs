//! itab-dap: the program as a library.

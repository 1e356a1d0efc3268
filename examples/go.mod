module example.org/itab-dap/examples

go 1.21

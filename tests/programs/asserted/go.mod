module example.com/asserted

go 1.21

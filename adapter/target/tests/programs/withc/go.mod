module withc

go 1.21

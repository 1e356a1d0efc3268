module panics

go 1.21

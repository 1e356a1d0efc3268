module example.com/deep/values

go 1.21

module example.com/disp

go 1.21

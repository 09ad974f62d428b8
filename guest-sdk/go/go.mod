module sluice/guest

go 1.24

module latchkey.example/go

go 1.19

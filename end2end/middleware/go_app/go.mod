module latchkey.example/middleware

go 1.19

require latchkey.example/go v0.0.0

replace latchkey.example/go => ../../../clients/go
